"""The targets: what is wanted, what was measured, and whether the target is met. Pure."""

from dataclasses import dataclass

from . import form
from .results import median_of, ratio

MET, MISSED, UNKNOWN = "met", "MISSED", form.NOT_MEASURED
CPU, RATE = "cpu_per_heartbeat", "achieved"
SAME_WORK = ("nginx-lua", "fastify")  # evhttp is only shown, because it is made of minuted's own parts
MILLION = 1_000_000
VERIFIED = (("steady", "verified"), ("storm", "storm"))
REACHED = 0.99  # of the rate that was asked for


@dataclass
class Row:
    """One target. VALUE must be at most LIMIT, or at least with AT_LEAST. SHOW formats figures; WHY says what VALUE is made of.

    SHORT is not empty if the target's rate was not reached or if not every request was answered. Then the target is missed,
    whatever VALUE is.
    """

    target: str
    value: float | None
    limit: float
    show: object
    at_least: bool = False
    why: str = ""
    short: str = ""

    @property
    def verdict(self):
        if self.value is None:
            return UNKNOWN
        good = self.value >= self.limit if self.at_least else self.value <= self.limit
        return MET if good and not self.short else MISSED

    @property
    def measured(self):
        return self.show(self.value)

    @property
    def wanted(self):
        return f"{'≥' if self.at_least else '≤'} {self.show(self.limit)}"

    @property
    def of_which(self):
        """SHORT and WHY as one text; empty if WHY holds nothing measured."""
        if self.value is None and UNKNOWN in self.why:
            return ""
        return "; ".join(text for text in (self.short, self.why) if text)

    @property
    def headroom(self):
        """How far the target is met: 1 is exactly met, and more is better."""
        if not self.value or not self.limit:
            return None
        return self.value / self.limit if self.at_least else self.limit / self.value


def rows(results):
    return [*against_floor(results), *against_peers(results), *latency(results), *durable(results),
            *exact(results), *memory(results), *batches(results), *catch_up(results), *scale(results), *workers(results)]


# --- beside nginx -------------------------------------------------------------------------------

def against_floor(results):
    parts = (("minuted-max", "floor-max", 2.2, "at saturation"), ("minuted-20k", "floor-20k", 2.2, "at 20,000/s"),
             ("fsync-max", "floor-max", 2.7, "at saturation, fsync"),
             ("fsync-20k", "floor-20k", 2.7, "at 20,000/s, fsync"))
    for mine, floor, limit, where in parts:
        ratios = results.ratios("floor", mine, floor, CPU)
        yield Row(f"CPU per credited heartbeat, daemon + Redis, over nginx `return 204`, {where}", median_of(ratios),
                  limit, form.times, why=cpu_parts(results, mine, floor, ratios),
                  short=shortfall(results, "floor", mine))
    ratios = results.ratios("floor", "minuted-max", "floor-max", RATE)
    mine, nginx = (form.per_second(results.median("floor", name, RATE)) for name in ("minuted-max", "floor-max"))
    yield Row("Saturation over nginx `return 204`", median_of(ratios), 0.8, form.times, True, why=(
        f"rounds {form.series(ratios, form.times)}; minuted {mine}, nginx {nginx}; with a processor each for daemon, "
        "Redis and nginx, and the generator elsewhere, processor time would allow "
        f"{form.times(alone(results, 'minuted-max', 'floor-max'))}"))


def alone(results, mine, floor):
    """Saturation over nginx's, computed for a processor each: the busier of daemon and Redis limits it."""
    parts = [results.median("floor", mine, f"cpu.{part}") for part in ("minuted", "redis")]
    return None if None in parts else ratio(results.median("floor", floor, CPU), max(parts))


def cpu_parts(results, mine, floor, ratios):
    daemon, redis = (results.median("floor", mine, f"cpu.{part}") for part in ("minuted", "redis"))
    return (f"rounds {form.series(ratios, form.times)}; daemon {form.us(daemon)} + Redis {form.us(redis)}, "
            f"nginx {form.us(results.median('floor', floor, CPU))}")


def shortfall(results, scenario, name):
    """A text if a constant rate was not reached, because then saturation was measured; else ""."""
    scheduled, achieved = results.scheduled(scenario, name), results.median(scenario, name, RATE)
    if not scheduled or achieved is None or achieved >= scheduled * REACHED:
        return ""
    return f"only {form.per_second(achieved)} of {form.per_second(scheduled)} were answered"


# --- beside the peers ---------------------------------------------------------------------------

def best_peers(results, metric, best):
    """The best peer of each round among those that do the same work; None if one of them was not measured."""
    rounds = zip(*(results.in_rounds("saturation", name, metric) for name in SAME_WORK))
    return [None if None in values else best(values) for values in rounds]


def against_peers(results):
    mine, best = results.in_rounds("saturation", "minuted", CPU), best_peers(results, CPU, min)
    ratios = [ratio(a, b) for a, b in zip(mine, best)]
    yield Row("CPU per credited heartbeat over the best peer that does the same work", median_of(ratios), 1 / 3,
              form.times, why=f"rounds {form.series(ratios, form.times)}; {peers_text(results, CPU, form.us)}")
    mine, best = results.in_rounds("saturation", "minuted", RATE), best_peers(results, RATE, max)
    ratios = [ratio(a, b) for a, b in zip(mine, best)]
    yield Row("Saturation over the best peer", median_of(ratios), 2, form.times, True,
              why=f"rounds {form.series(ratios, form.times)}; {peers_text(results, RATE, form.per_second)}")


def peers_text(results, metric, show):
    figures = ", ".join(f"{name} {show(results.median('saturation', name, metric))}"
                        for name in ("minuted", *SAME_WORK, "evhttp"))
    return f"{figures}; best of {' and '.join(SAME_WORK)}; evhttp, made of minuted's own parts, is only shown"


# --- latency and durability ---------------------------------------------------------------------

def latency(results):
    for percentile, limit_ms in (("p99", 3), ("p99.9", 6)):
        for durability, name in (("memory", "minuted-20k"), ("fsync", "fsync-20k")):
            floor = results.median("floor", "floor-20k", percentile)
            limit = max(limit_ms * 1000, (floor or 0) + 1000)
            values = results.in_rounds("floor", name, percentile)
            yield Row(f"{percentile} at 20,000/s, {durability} ({limit_ms} ms, or the floor's own and 1 ms)",
                      median_of(values), limit, form.ms,
                      why=f"rounds {form.series(values, form.ms)}; the floor's own {form.ms(floor)}",
                      short=unanswered(results, "floor", name) or shortfall(results, "floor", name))


def unanswered(results, scenario, name):
    """A text if requests were refused or failed, because latency is only that of answered ones; else ""."""
    refused, failed = (sum(value or 0 for value in results.in_rounds(scenario, name, metric))
                       for metric in ("refused", "failed"))
    return f"{form.whole(refused)} refused, {form.whole(failed)} failed" if refused + failed else ""


def durable(results):
    ratios = results.ratios("durability", "fsync", "memory", RATE)
    yield Row("Durable saturation (`appendfsync always`) over `memory`", median_of(ratios), 0.8, form.times, True,
              why=f"rounds {form.series(ratios, form.times)}; "
                  f"{form.per_second(results.median('durability', 'fsync', RATE))} and "
                  f"{form.per_second(results.median('durability', 'memory', RATE))}")


def exact(results):
    """Judges the two loads after which every accepted second was looked up."""
    found = [results.verification(*run) for run in VERIFIED]
    wrong = None if None in map(known, found) else sum(f["lost_s"] + f["extra_s"] for f in found)
    why = "; ".join(f"{scenario} {form.whole(f['expected_s'])} s accepted, {f['lost_s']:,} lost, {f['extra_s']:,} added"
                    for (scenario, _), f in zip(VERIFIED, found) if known(f))
    yield Row("No second lost or added, in Redis or Kafka", wrong, 0, form.whole, why=why)


def known(verification):
    """VERIFICATION; None if it could not be made or if nothing was accepted."""
    return verification if verification and not verification["problem"] and verification["expected_s"] else None


# --- memory, batches, catching up, scale --------------------------------------------------------

def memory(results):
    yield Row("User memory of an idle connection", results.metric("idle", "idle", "memory_per_idle_connection"),
              1000, form.size)
    yield Row("Redis memory of a fully watched learner-minute", results.fact("memory", "bytes_per_minute"), 30,
              form.size, why=f"and {form.size(results.fact('memory', 'bytes_per_learner'))} of each learner, besides")


def batches(results):
    """Compares runs for a second of processor time, the inverse of the CPU of a run."""
    ratios = results.ratios("batches", "single", "batch", CPU)
    yield Row("Gateway batches of 100 over single runs: runs for a CPU-second", median_of(ratios), 5, form.times, True,
              why=f"rounds {form.series(ratios, form.times)}; {form.us(results.median('batches', 'single', CPU))} a single "
                  f"run, {form.us(results.median('batches', 'batch', CPU))} in a batch")


def catch_up(results):
    minutes, settled = results.fact("catch-up", "learner_minutes"), results.fact("catch-up", "settled_s")
    a_million = None if settled is None or not minutes else settled * MILLION / minutes
    yield Row("A million learner-minutes published and settled", a_million, 15, form.seconds,
              why=f"one broker, one copy; {form.whole(minutes)} in {form.seconds(settled)}, "
                  f"{form.whole(results.fact('catch-up', 'records'))} records")


def scale(results):
    few, many = results.metric("scale", "few", CPU), results.metric("scale", "many", CPU)
    yield Row(f"CPU per heartbeat with {form.whole(results.fact('scale', 'many'))} learners over 1,000",
              ratio(many, few), 1.15, form.times, why=f"{form.us(many)} and {form.us(few)}",
              short=shortfall(results, "scale", "many") or shortfall(results, "scale", "few"))


def workers(results):
    ratios = results.ratios("workers", "workers-2", "workers-1", RATE)
    yield Row("Two workers over one", median_of(ratios), 1, form.times, True,
              why=results.fact("workers", "skipped") or f"rounds {form.series(ratios, form.times)}")
