"""The capacity page: capacity.md.in filled in with what capacity.py computes. Pure except that it reads the template."""

from string import Template

from . import form, telling
from .capacity import (ASSUMED, PLAYERS, Measured, Need, inverse, limits, product, redis_servers, total,
                       totals_bytes, up)
from .page_markdown import markdown
from .paths import BENCH

TABLE_HEAD = ["players at a time", "heartbeats/s", "daemon cores", "Redis cores", "Redis servers", "Redis, a day's minutes",
              "Kafka"]
COPIES = "with its copies"
LEARNING_MINUTES = 45  # an hour of learning


def table(measured):
    """What different numbers of players need, as the head and the rows of a table."""
    lines = []
    for players in PLAYERS:
        need = Need(players, measured)
        lines.append([form.whole(players), form.whole(need.heartbeats), form.number(need.daemon_cores),
                      form.number(need.redis_cores), form.whole(redis_servers(need)), form.size(need.window_bytes),
                      rate(need.kafka_rate)])
    return TABLE_HEAD, lines


@form.known
def rate(value):
    return f"{form.size(value)}/s"


@form.known
def learner_minutes(rate_):
    return f"{form.whole(rate_)} learner-minutes a second"


@form.known
def busy(processors, what, n):
    """States how many processors are kept busy, and how many of WHAT that makes. Both figures are known, or neither is."""
    return f"{form.number(processors)} processors busy all the time: {form.whole(n)} {what}"


@form.known
def both(value, other, show, what):
    """VALUE, and OTHER, which is computed from it."""
    return f"{show(value)}; {show(other)} {what}"


def values(results):
    """The values of all the template's names."""
    measured = Measured(results)
    rush = Need(ASSUMED["rush_players"], measured)
    return {**assumed_values(), **measured_values(measured), **rush_values(rush, measured), **kafka_values(rush, measured),
            "warnings": "".join(f"\n**{text}**\n" for text in telling.warnings(results)),
            "table": markdown(*table(measured)), "limits": limits_text(measured)}


def assumed_values():
    whole = {f"assumed_{name}": form.whole(value) for name, value in ASSUMED.items() if name != "busy"}
    return {**whole, "busy_percent": form.whole(ASSUMED["busy"] * 100)}


def measured_values(measured):
    return {
        "daemon_us": form.us(measured.daemon_us), "redis_us": form.us(measured.redis_us),
        "publish_us": form.us(measured.publish_us), "publish_redis_us": form.us(measured.publish_redis_us),
        "publish_rate": learner_minutes(measured.publish_rate), "minute_bytes": form.size(measured.minute_bytes),
        "learner_bytes": form.size(measured.learner_bytes), "lesson_bytes": form.size(measured.lesson_bytes),
        "connection_bytes": form.size(measured.connection_bytes),
        "minute_record": form.size(measured.minute_record), "lesson_record": form.size(measured.lesson_record),
    }


def rush_values(rush, measured):
    totals, servers = totals_bytes(measured), redis_servers(rush)
    memory = total(totals, rush.window_bytes)
    return {
        "heartbeats": form.whole(rush.heartbeats), "minutes": form.whole(rush.minutes),
        "daemons": busy(rush.daemon, f"at {form.percent(ASSUMED['busy'])}", up(rush.daemon_cores)),
        "redis": busy(rush.redis, "servers", servers),
        "totals": form.size(totals), "window": form.size(rush.window_bytes),
        "redis_memory": both(memory, product(memory, inverse(servers)), form.size, "a server"),
        "connections": form.size(rush.connections_bytes),
    }


def kafka_values(rush, measured):
    minutes = ASSUMED["teachers"] * ASSUMED["hours_each"] * LEARNING_MINUTES
    evidence = product(measured.minute_record, minutes)
    return {
        "kafka_rate": both(rush.kafka_rate, product(rush.kafka_rate, ASSUMED["copies"]), rate, COPIES),
        "all_minutes": form.whole(minutes),
        "evidence": both(evidence, product(evidence, ASSUMED["copies"]), form.size, COPIES),
        "totals_topic": form.size(product(measured.lesson_record, ASSUMED["teachers"] * ASSUMED["lessons"])),
    }


def limits_text(measured):
    found = limits(measured)
    return markdown(["what is full first", "at so many players", "wanted for the rush"],
                    [[name, form.whole(players), form.number(ASSUMED["rush_players"] / players)]
                     for name, players in found])


def page(results):
    return Template((BENCH / "report/capacity.md.in").read_text()).substitute(values(results))
