"""Makes each scenario's section of the pages, with tables and charts, from the results. Pure."""

import math
from dataclasses import dataclass, field

from . import charts, form
from .results import ratio
from .storm_recovery import recovery
from .targets import CPU, RATE


@dataclass
class Section:
    head: list = field(default_factory=list)    # of the table
    lines: list = field(default_factory=list)
    chart: str = ""                             # SVG
    text: list = field(default_factory=list)    # paragraphs


LOAD_HEAD = ["", "runs/s", "credited a run", "CPU a run", "daemon or peer", "Redis", "of one CPU: daemon or peer", "Redis",
             "p50", "p99", "p99.9", "refused", "failed"]
NONE = "–"  # the figure does not apply


def load_line(results, scenario, label, name, server="minuted"):
    """The line of one run, or of the medians of its rounds."""
    def get(metric):
        return results.median(scenario, name, metric)
    bare = server in ("nginx", "floor")
    return [label, form.whole(get("runs_per_s") or get(RATE)), NONE if bare else form.seconds(get("credited_a_run")),
            form.us(get(CPU)), form.us(get(f"cpu.{server}")), NONE if bare else form.us(get("cpu.redis")),
            form.percent(get(f"share.{server}")), NONE if bare else form.percent(get("share.redis")),
            form.ms(get("p50")), form.ms(get("p99")), form.ms(get("p99.9")),
            form.whole(get("refused")), form.whole(get("failed"))]


def loads(results, scenario, rows):
    """A section with a table of ROWS, (label, name, server), and a chart of their CPU."""
    section = Section(LOAD_HEAD, [load_line(results, scenario, *row) for row in rows])
    section.chart = cpu_bars(results, scenario, rows)
    return section


def cpu_bars(results, scenario, rows):
    bars = []
    for label, name, server in rows:
        parts = [results.median(scenario, name, f"cpu.{server}")]
        if server not in ("nginx", "floor"):
            parts.append(results.median(scenario, name, "cpu.redis"))
        bars.append((label, parts))
    chart = charts.bars(bars, form.us)
    return chart and ('<p class="legend">CPU a run: <span class="a">daemon or peer</span> · '
                      f'<span class="b">Redis</span></p>{chart}')


# --- each scenario ------------------------------------------------------------------------------

def floor(results):
    section = loads(results, "floor", [
        ("nginx 204, saturated", "floor-max", "nginx"), ("minuted, saturated", "minuted-max", "minuted"),
        ("minuted fsync, saturated", "fsync-max", "minuted"), ("nginx 204, 20,000/s", "floor-20k", "nginx"),
        ("minuted, 20,000/s", "minuted-20k", "minuted"), ("minuted fsync, 20,000/s", "fsync-20k", "minuted")])
    section.text = [floor_rounds(results, *pair) for pair in (
        ("saturated", "minuted-max", "floor-max"), ("at 20,000/s", "minuted-20k", "floor-20k"),
        ("saturated with fsync", "fsync-max", "floor-max"), ("at 20,000/s with fsync", "fsync-20k", "floor-20k"))]
    return section


def floor_rounds(results, where, mine, base):
    ratios = results.ratios("floor", mine, base, CPU)
    return f"CPU over the floor's, round by round, {where}: {form.series(ratios, form.times)}."


def saturation(results):
    names = ("minuted", "minuted-fsync", "nginx-lua", "fastify", "evhttp", "floor")
    section = loads(results, "saturation", [
        (name, name, "minuted" if name.startswith("minuted") else name) for name in names])
    rates = charts.bars([(name, [results.median("saturation", name, RATE)]) for name in names], form.per_second)
    section.chart += rates and f'<p class="legend">answers a second</p>{rates}'
    return section


def steady(results):
    section = loads(results, "steady", [
        ("memory, 1 partition", "memory", "minuted"), ("fsync, 1 partition", "fsync", "minuted"),
        ("memory, 4 partitions", "partitions-4", "minuted"), ("memory, 16 partitions", "partitions-16", "minuted"),
        ("lively players, fsync, 5,000/s", "verified", "minuted")])
    section.text = [verification(results.verification("steady", "verified"))]
    return section


def verification(found):
    if not found:
        return "Nothing was looked up in Redis and Kafka."
    if found["problem"]:
        return f"It could not be looked up in Redis and Kafka: {found['problem']}."
    return (f"Of {found['expected_s']:,} seconds accepted, {found['lost_s']:,} are missing and {found['extra_s']:,} too "
            "many, counted in four places: masks and totals in Redis, merged minutes and totals in Kafka.")


def durability(results):
    return loads(results, "durability", [(name, name, "minuted") for name in ("memory", "fsync", "replicas")])


def seconds(run, get):
    """GET(second) for each second of a run."""
    return [get(second) for second in run["seconds"]] if run else []


def p99_ms(second):
    return second["latency_us"] and second["latency_us"][2] / 1000


def rush(results):
    run = results.run("rush", "rush")
    section = loads(results, "rush", [("2,000/s to 20,000/s", "rush", "minuted")])
    section.chart = charts.lines([("due", seconds(run, lambda s: s["offered_rate"])),
                                  ("answered", seconds(run, lambda s: s["answered"]))], "requests a second")
    section.chart += charts.lines([("p99", seconds(run, p99_ms))], "ms")
    return section


def storm(results):
    run = results.run("storm", "storm")
    killed, back = (results.fact("storm", name) for name in ("killed_s", "back_s"))
    section = Section(["", "second"], [["Redis killed", form.seconds(killed)], ["Redis back", form.seconds(back)]])
    if run and back is not None:
        found = recovery(run["seconds"], killed, back, run["warmup_s"])
        section.lines += [["no request is refused any more", after(found.unrefused_s)],
                          [f"p99 as before ({form.ms(found.normal_us)}, at most twice that)", after(found.recovered_s)]]
    marks = [(s, text) for s, text in ((killed, "killed"), (back, "back")) if s is not None]
    section.chart = charts.lines([("answered", seconds(run, lambda s: s["answered"])),
                                  ("refused", seconds(run, lambda s: s["refused"]))], "requests a second", marks)
    section.chart += charts.lines([("p99", seconds(run, p99_ms))], "ms", marks)
    section.text = ["When it was as before is known to the second only.",
                    verification(results.verification("storm", "storm"))]
    return section


def after(value):
    """A load is judged by whole seconds: the recovery came at the latest when the first calm second began."""
    return "not within the load" if value is None else f"within {max(1, math.ceil(value))} s after Redis was back"


def batches(results):
    return loads(results, "batches", [("single heartbeats", "single", "minuted"), ("100 a request", "batch", "minuted")])


def idle(results):
    run = results.run("idle", "idle")
    count, before = (run["load"]["idle_connections"], run["processes"][0]["memory_before"]) if run else (None, None)
    each = results.metric("idle", "idle", "memory_per_idle_connection")
    opened = None if None in (count, before, each) else before + count * each
    return Section(["", ""], [
        ["connections", form.whole(count)], ["memory each", form.size(each)],
        ["daemon before", form.size(before)], ["daemon when all were open, before the load", form.size(opened)]])


def memory(results):
    spans, used = results.fact("memory", "spans_min"), results.fact("memory", "used")
    lines = [[f"{form.whole(results.fact('memory', 'players'))} players, {span} minutes each", form.size(bytes_)]
             for span, bytes_ in zip(spans or [], used or [])]
    return Section(["", "Redis"], [
        *lines, ["a fully watched minute", form.size(results.fact("memory", "bytes_per_minute"))],
        ["a learner, besides", form.size(results.fact("memory", "bytes_per_learner"))]])


def scale(results):
    return loads(results, "scale", [(f"{form.whole(results.fact('scale', name))} learners", name, "minuted")
                                    for name in ("few", "many")])


def catch_up(results):
    def get(*path):
        return results.fact("catch-up", *path)
    minutes, settled, records = get("learner_minutes"), get("settled_s"), get("records")
    sizes = {topic: found["bytes"] for topic, found in (get("topics") or {}).items()}
    written = sum(sizes.values()) if sizes else None
    return Section(["", ""], [
        ["learner-minutes", form.whole(minutes)],
        ["published and settled, since the daemon was started", form.seconds(settled)],
        ["watermark past the newest, since then", form.seconds(get("watermark_s"))],
        ["learner-minutes a second", form.whole(ratio(minutes, settled))],
        ["records a second", form.whole(ratio(records, settled))],
        ["on the broker's disk", form.size(written)],
        ["written a second", form.NOT_MEASURED if written is None or not settled else f"{form.size(written / settled)}/s"],
        ["CPU of the daemon", form.seconds(get("daemon_cpu_s"))], ["CPU of Redis", form.seconds(get("redis_cpu_s"))],
        *[[f"of {topic}", form.size(size)] for topic, size in sizes.items()]])


def workers(results):
    skipped = results.fact("workers", "skipped")
    if skipped:
        return Section(text=[f"Not measured: {skipped}."])
    return loads(results, "workers", [("one worker", "workers-1", "minuted"), ("two workers", "workers-2", "minuted")])


SECTIONS = {"floor": floor, "saturation": saturation, "steady": steady, "durability": durability, "rush": rush,
            "storm": storm, "batches": batches, "idle": idle, "memory": memory, "scale": scale, "catch-up": catch_up,
            "workers": workers}
