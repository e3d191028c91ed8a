"""Words that both pages share. Pure."""

from .targets import MET, MISSED, UNKNOWN, rows

INTRODUCTION = (
    "What minuted costs and how quickly it answers, beside nginx that does nothing and beside others that do the same "
    "work. The headline is processor time for a credited heartbeat, of the daemon and of Redis together, from the "
    "kernel's account of the processes; latency and rates stand beside it.")
HOW_TO_READ = (
    "Compare only within a scenario: a machine is faster in one minute than in the next, which is why ratios are taken "
    "round by round, and their medians held against the targets. Latency counts from when a heartbeat was due, also "
    "where it could not be sent then; in a closed loop (saturated) from when it was sent. A result is void where the "
    "generator was the bottleneck, and then says nothing.")
QUICK = ("These results are those of a quick run: short loads, few rounds, fewer learners. They show that everything "
         "works, and are no measurement to rely on.")
CLOCK = ("At a constant rate the generator had real-time priority where that was allowed: it is the clock of the "
         "measurement.")
REPEAT = "bench/run"


def sharing(machine):
    """What ran beside what."""
    cpus = machine["usable processors"]
    if cpus > 2:
        return (f"One of {cpus} processors was the daemon's (or the peer's), one Redis's, and the others the load "
                f"generator's and Kafka's. {CLOCK}")
    return (f"The load generator, the daemon, Redis, Kafka and the peers shared {cpus} processor{'s' if cpus > 1 else ''}: "
            "the daemon (or the peer) had one of them, Redis the other, and the generator and Kafka ran on both, taking "
            "from either. Saturation is that of all of them together. Processor time is counted for the measured "
            f"processes alone. {CLOCK}")


def machine_of(results):
    """Of the newest scenario; None where there is none."""
    newest = max(results.scenarios.values(), key=lambda s: s["started"], default=None)
    return newest and newest["machine"]


def is_quick(results):
    return any(scenario["quick"] for scenario in results.scenarios.values())


def count(results):
    """How the targets came out, in words."""
    verdicts = [row.verdict for row in rows(results)]
    return f"{verdicts.count(MET)} met, {verdicts.count(MISSED)} missed, {verdicts.count(UNKNOWN)} not measured"


def troubles(scenario):
    """What cannot be relied on."""
    found = [f"This scenario could not run to its end: {scenario['problem']}"] if scenario["problem"] else []
    return found + [f"{run['title']} is void: {run['void']}." for run in scenario["runs"] if run["void"]]
