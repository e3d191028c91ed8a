"""Compares what was sent with what everybody holds, second by second, and says it in one table.

Sets of (learner, lesson, second) are compared; the table shows their sizes. Of a learner with several lessons at once only
the order of arrival decides which lesson a second belongs to, so what cheats sent is compared by learner and second.
"""

from dataclasses import dataclass, field

from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, bits, learner_of


def flatten(minutes):
    """(learner, lesson, minute start) -> seconds, as a set of (learner, lesson, Unix second)."""
    return {(learner, lesson, minute + s) for (learner, lesson, minute), seconds in minutes.items() for s in seconds}


def of_learners(learners, books):
    return {(x.key, lesson, s) for x in learners for lesson, seconds in books(x).items() for s in seconds}


def without_lesson(seconds):
    return {(learner, second) for learner, _, second in seconds}


def totals_of(seconds):
    totals = {}
    for learner, lesson, _ in seconds:
        totals[learner, lesson] = totals.get((learner, lesson), 0) + 1
    return totals


@dataclass
class Held:
    """What Redis, Kafka and the ledger hold at the end."""
    redis: set
    redis_totals: dict
    merged: set
    merged_totals: dict
    last: set
    last_totals: dict
    ledger_totals: dict

    @classmethod
    def read(cls, truth, merged, ledger_totals):
        last = {(learner_of(r.value), r.value["lesson_id"], r.value["minute_start"]): bits(r.value["seconds_mask"])
                for r in merged.of_last(LEARNER_MINUTES)}
        last_totals = {(learner_of(r.value), r.value["lesson_id"]): r.value["watched_seconds"]
                       for r in merged.of_last(LEARNER_LESSONS)}
        return cls(flatten(truth.minutes), truth.totals, flatten(merged.minutes()), dict(merged.totals),
                   flatten(last), last_totals, ledger_totals)


@dataclass
class Verdict:
    rows: list = field(default_factory=list)         # (name, honest seconds, other seconds)
    invariants: list = field(default_factory=list)   # (name, what is wrong)

    def judge(self, name, wrong):
        self.invariants.append((name, list(wrong)))

    @property
    def holds(self):
        return not any(wrong for _, wrong in self.invariants)


def difference(what, left, right):
    """Says how two collections differ, if they do."""
    missing, extra = left - right, right - left
    if missing:
        yield f"{what}: {len(missing)} too few, such as {sorted(missing)[:3]}"
    if extra:
        yield f"{what}: {len(extra)} too many, such as {sorted(extra)[:3]}"


def items(totals):
    return set(totals.items())


def twice(what, seconds):
    owner = {}
    for learner, lesson, second in sorted(seconds):
        other = owner.setdefault((learner, second), lesson)
        if other != lesson:
            yield f"{what}: {learner} has second {second} in {other} and {lesson}"


def more_than_passed(learners, redis, now):
    count = {}
    for learner, _ in without_lesson(redis):
        count[learner] = count.get(learner, 0) + 1
    for x in learners:
        if count.get(x.key, 0) > now - x.began + 1:
            yield f"{x.key} has {count[x.key]} s after {now - x.began:.0f} s"


def lost_credit(learners, redis_totals):
    """What the answers credited can only be less than what is held: some answers were lost."""
    for x in learners:
        held = sum(n for (learner, _), n in redis_totals.items() if learner == x.key)
        if x.credited > held:
            yield f"{x.key}: {x.credited} s were credited, {held} are held"


def judge(learners, held, now):
    """The verdict on HELD, given the books of LEARNERS."""
    honest, others = [x for x in learners if x.honest], [x for x in learners if not x.honest]
    sent, accepted = of_learners(learners, lambda x: x.sent), of_learners(learners, lambda x: x.accepted)
    verdict = Verdict()
    fill_table(verdict, honest, held, sent, accepted)
    verdict.judge("1 a second is credited once, and no more than has passed", [
        *twice("Redis", held.redis), *twice("Kafka", held.merged), *more_than_passed(learners, held.redis, now)])
    verdict.judge("2 order and repetition change nothing", [
        *difference("sent, and in Redis", without_lesson(sent), without_lesson(held.redis)),
        *difference("Redis, masks and totals", items(totals_of(held.redis)), items(held.redis_totals)),
        *lost_credit(learners, held.redis_totals)])
    verdict.judge("3 what was accepted is held", [
        *difference("sent, and accepted", without_lesson(sent), without_lesson(accepted)),
        *difference("accepted of the honest, and in Redis", of_learners(honest, lambda x: x.accepted),
                    {s for s in held.redis if s[0] in {x.key for x in honest}})])
    verdict.judge("4 Kafka converges to Redis, and the last record is the greatest", [
        *difference("Redis, and Kafka merged", held.redis, held.merged),
        *difference("Redis, and Kafka's greatest totals", items(held.redis_totals), items(held.merged_totals)),
        *difference("Redis, and the last records", held.redis, held.last),
        *difference("Redis, and the last totals", items(held.redis_totals), items(held.last_totals)),
        *difference("Redis, and the ledger", items(held.redis_totals), items(held.ledger_totals))])
    verdict.judge("5 nothing is held that deserved no credit", [
        *([f"not sent: {sorted(held.redis - sent)[:3]}"] if held.redis - sent else []),
        *([] if others else ["nobody cheated"])])
    return verdict


def fill_table(verdict, honest, held, sent, accepted):
    names = {x.key for x in honest}

    def row(name, seconds):
        mine = sum(1 for s in seconds if s[0] in names)
        verdict.rows.append((name, mine, len(seconds) - mine))

    def total_row(name, totals):
        mine = sum(n for (learner, _), n in totals.items() if learner in names)
        verdict.rows.append((name, mine, sum(totals.values()) - mine))
    row("sent", without_lesson(sent))
    row("accepted", without_lesson(accepted))
    row("Redis, masks", held.redis)
    total_row("Redis, totals", held.redis_totals)
    row("Kafka, masks merged", held.merged)
    total_row("Kafka, greatest totals", held.merged_totals)
    row("Kafka, last masks", held.last)
    total_row("Kafka, last totals", held.last_totals)
    total_row("ledger", held.ledger_totals)


def table(verdict):
    lines = [f"{'seconds':<28}{'honest':>12}{'others':>12}"]
    lines += [f"{name:<28}{mine:>12,}{theirs:>12,}" for name, mine, theirs in verdict.rows]
    lines.append("")
    for name, wrong in verdict.invariants:
        lines.append(f"{'BROKEN' if wrong else 'holds':<8}{name}")
        lines += [f"        {line}" for line in wrong[:10]]
    return "\n".join(lines)
