"""Texts that the pages share. Pure."""

from . import form
from .capacity import ASSUMED, Measured, product, total
from .targets import MET, MISSED, UNKNOWN, rows

INTRODUCTION = (
    "What minuted costs and how quickly it answers, beside nginx that does nothing and beside others that do the same "
    "work. The headline is processor time for a credited heartbeat, of the daemon and of Redis together, from the "
    "kernel's account of the processes; latency and rates stand beside it.")
HOW_TO_READ = (
    "Compare only within a scenario: a machine is faster in one minute than in the next, which is why ratios are taken "
    "round by round, and their medians held against the targets. Latency counts from when a heartbeat was due, also "
    "where it could not be sent then; in a closed loop (saturated) from when it was sent. A result is void where the "
    "generator was the bottleneck, or where runs credited less than a second each, and then says nothing. Where nothing "
    "else is said, redis.partitions is 1, of the daemons and of the peers: there is one Redis, and a batch goes to it in "
    "one call for each partition, as config/minuted.yaml advises.")
QUICK = ("These results are those of a quick run: short loads, few rounds, fewer learners. They show that everything "
         "works, and are no measurement to rely on.")
CLOCK = ("At a constant rate the generator had real-time priority where that was allowed: it is the clock of the "
         "measurement.")
NOT_IN_IT = (
    "What is not in the processor time of a heartbeat: publishing, since no Kafka is reached where it is "
    "measured{publishing}; kernel work that is on no process's account (softirq of the network, writeback under fsync); "
    "and the load generator's half of the loopback.")
REPEAT = "bench/run"


def sharing(machine):
    """States which programs shared which processors."""
    cpus = machine["usable processors"]
    if cpus > 2:
        return (f"One of {cpus} processors was the daemon's (or the peer's), one Redis's, and the others the load "
                f"generator's and Kafka's. {CLOCK}")
    return (f"The load generator, the daemon, Redis, Kafka and the peers shared {cpus} processor{'s' if cpus > 1 else ''}: "
            "the daemon (or the peer) had one of them, Redis the other, and the generator and Kafka ran on both, taking "
            "from either. Saturation is that of all of them together: what the generator took, "
            "the daemon or Redis had not, as \"of one CPU\" shows. Processor time is counted for the measured "
            f"processes alone. {CLOCK}")


def not_in_it(results):
    """NOT_IN_IT with the cost of publishing, if that was measured."""
    measured = Measured(results)
    heartbeats = 60 / ASSUMED["interval_s"]  # in a learner-minute
    each = product(total(measured.publish_us, measured.publish_redis_us), 1 / heartbeats)
    return NOT_IN_IT.format(publishing="" if each is None else (
        f" (it adds {form.us(each)} of daemon and Redis to each of a minute's {heartbeats:.0f} heartbeats, by the figures "
        "of catching up)"))


MADE_WHERE = ("commit", "model", "usable processors", "memory", "kernel", "Redis")  # the same in all scenarios, or it is told


def mixed(results):
    """A warning if the scenarios were measured at different commits or on different machines; else ""."""
    machines = [scenario["machine"] for scenario in results.scenarios.values()]
    kinds = {key: sorted({str(machine.get(key)) for machine in machines}) for key in MADE_WHERE}
    differing = [f"{key} {' / '.join(found)}" for key, found in kinds.items() if len(found) > 1]
    if not differing:
        return ""
    return (f"These scenarios were not measured together ({'; '.join(differing)}): do not compare one with another. The "
            "machine that is shown is that of the newest.")


def warnings(results):
    """What the pages say above everything else."""
    return [text for text in (QUICK if is_quick(results) else "", mixed(results)) if text]


def machine_of(results):
    """The machine of the newest scenario; None if there is no scenario."""
    newest = max(results.scenarios.values(), key=lambda s: s["started"], default=None)
    return newest and newest["machine"]


def is_quick(results):
    return any(scenario["quick"] for scenario in results.scenarios.values())


def count(results):
    """How many targets were met, missed and not measured, in words."""
    verdicts = [row.verdict for row in rows(results)]
    return f"{verdicts.count(MET)} met, {verdicts.count(MISSED)} missed, {verdicts.count(UNKNOWN)} not measured"


def troubles(scenario):
    """What cannot be relied on in a scenario."""
    found = [f"This scenario could not run to its end: {scenario['problem']}"] if scenario["problem"] else []
    return found + [f"{run['title']} is void: {run['void']}." for run in scenario["runs"] if run["void"]]
