"""Compares what was sent with what everybody holds, second by second, and says it in one table.

Sets of (learner, lesson, second) are compared; the table shows their sizes. Of a learner with several lessons at once only
the order of arrival decides which lesson a second belongs to, so what cheats sent is compared by learner and second.
"""

from dataclasses import dataclass, field

from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, bits, learner_of, watermarks


LINES_MAX = 20


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


def sums_of(seconds):
    """(lesson, minute start) -> (seconds, learners)."""
    sums = {}
    for learner, lesson, second in seconds:
        n, learners = sums.setdefault((lesson, second - second % 60), [0, set()])
        sums[lesson, second - second % 60] = [n + 1, learners | {learner}]
    return {key: (n, len(learners)) for key, (n, learners) in sums.items()}


@dataclass
class Held:
    """What Redis, Kafka and the ledger hold at the end."""
    redis: set
    redis_totals: dict
    redis_covered: dict
    redis_sums: dict
    merged: set
    merged_totals: dict
    merged_covered: dict
    merged_sums: dict
    last: set
    last_totals: dict
    last_covered: dict
    last_sums: dict
    watermarks: list   # (published through, final through) in the order of their records
    ledger_totals: dict

    @classmethod
    def read(cls, truth, merged, ledger_totals):
        last = {(learner_of(r.value), r.value["lesson_id"], r.value["minute_start"]): bits(r.value["seconds_mask"])
                for r in merged.of_last(LEARNER_MINUTES)}
        lessons = {(learner_of(r.value), r.value["lesson_id"]): r.value for r in merged.of_last(LEARNER_LESSONS)}
        last_sums = {(r.value["lesson_id"], r.value["minute_start"]): (r.value["watched_seconds"], r.value["learners"])
                     for r in merged.of_last(LESSON_MINUTES)}
        marks = [(value["published_through"], value["final_through"]) for value in watermarks(merged.records)]
        return cls(
            redis=flatten(truth.minutes), redis_totals=truth.totals, redis_covered=truth.covered,
            redis_sums=dict(truth.lesson_minutes),
            merged=flatten(merged.minutes()), merged_totals=dict(merged.totals), merged_covered=dict(merged.covered),
            merged_sums=merged.lesson_minutes,
            last=flatten(last), last_totals={key: v["watched_seconds"] for key, v in lessons.items()},
            last_covered={key: v.get("covered_seconds", 0) for key, v in lessons.items()}, last_sums=last_sums,
            watermarks=marks, ledger_totals=ledger_totals)


@dataclass
class Verdict:
    rows: list = field(default_factory=list)         # (name, honest seconds, other seconds)
    sums: list = field(default_factory=list)         # (name, seconds), where learners are not told apart
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


def by_learner(totals):
    """learner -> seconds over all lessons."""
    count = {}
    for (learner, _), n in totals.items():
        count[learner] = count.get(learner, 0) + n
    return count


def more_than_passed(learners, what, totals, ended):
    """A learner's seconds, against the time between the first play and the last."""
    count = by_learner(totals)
    for x in learners:
        if count.get(x.key, 0) > ended - x.began + 1:
            yield f"{what}: {x.key} has {count[x.key]} s after {ended - x.began:.0f} s"


def falls(watermarks):
    for (published, final), (published_next, final_next) in zip(watermarks, watermarks[1:]):
        if published_next < published or final_next < final or final_next > published_next:
            yield f"watermarks: {(published, final)} is followed by {(published_next, final_next)}"


def lost_credit(learners, redis_totals):
    """What the answers credited can only be less than what is held: some answers were lost."""
    count = by_learner(redis_totals)
    for x in learners:
        held = count.get(x.key, 0)
        if x.credited > held:
            yield f"{x.key}: {x.credited} s were credited, {held} are held"


def judge(learners, held, ended):
    """The verdict on HELD, given the books of LEARNERS, whose play ended at ENDED."""
    honest, others = [x for x in learners if x.honest], [x for x in learners if not x.honest]
    sent, accepted = of_learners(learners, lambda x: x.sent), of_learners(learners, lambda x: x.accepted)
    names = {x.key for x in honest}
    verdict = Verdict()
    fill_table(verdict, names, held, sent, accepted)
    verdict.judge("1 a second is credited once, and no more than has passed", [
        *twice("Redis", held.redis), *twice("Kafka", held.merged),
        *more_than_passed(learners, "Redis", held.redis_totals, ended),
        *more_than_passed(learners, "Kafka", held.merged_totals, ended)])
    verdict.judge("2 order and repetition change nothing", [
        *difference("sent, and in Redis", without_lesson(sent), without_lesson(held.redis)),
        *difference("Redis, masks and totals", items(totals_of(held.redis)), items(held.redis_totals)),
        *difference("Redis, masks and lesson sums", items(sums_of(held.redis)), items(held.redis_sums)),
        *lost_credit(learners, held.redis_totals)])
    verdict.judge("3 what was accepted is held", [
        *difference("sent, and accepted", without_lesson(sent), without_lesson(accepted)),
        *difference("accepted of the honest, and in Redis", of_learners(honest, lambda x: x.accepted),
                    {s for s in held.redis if s[0] in names})])
    verdict.judge("4 Kafka converges to Redis, and the last record is the greatest", [
        *difference("Redis, and Kafka merged", held.redis, held.merged),
        *difference("Redis, and Kafka's greatest totals", items(held.redis_totals), items(held.merged_totals)),
        *difference("Redis, and the last records", held.redis, held.last),
        *difference("Redis, and the last totals", items(held.redis_totals), items(held.last_totals)),
        *difference("Redis, and Kafka's greatest coverage", items(held.redis_covered), items(held.merged_covered)),
        *difference("Redis, and the last coverage", items(held.redis_covered), items(held.last_covered)),
        *difference("Redis, and Kafka's greatest lesson sums", items(held.redis_sums), items(held.merged_sums)),
        *difference("Redis, and the last lesson sums", items(held.redis_sums), items(held.last_sums)),
        *difference("Redis, and the ledger", items(held.redis_totals), items(held.ledger_totals)),
        *falls(held.watermarks)])
    verdict.judge("5 nothing is held that deserved no credit", [
        *([f"not sent: {sorted(held.redis - sent)[:3]}"] if held.redis - sent else []),
        *([] if others else ["nobody cheated"])])
    return verdict


def fill_table(verdict, names, held, sent, accepted):
    """NAMES are the honest learners."""
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
    for name, sums in (("Redis, lesson sums", held.redis_sums), ("Kafka, greatest lesson sums", held.merged_sums),
                       ("Kafka, last lesson sums", held.last_sums)):
        verdict.sums.append((name, sum(n for n, _ in sums.values())))


def table(verdict):
    lines = [f"{'seconds':<28}{'honest':>12}{'others':>12}{'all':>12}"]
    lines += [f"{name:<28}{mine:>12,}{theirs:>12,}{mine + theirs:>12,}" for name, mine, theirs in verdict.rows]
    lines += [f"{name:<28}{'':>24}{n:>12,}" for name, n in verdict.sums]
    lines.append("")
    for name, wrong in verdict.invariants:
        lines.append(f"{'BROKEN' if wrong else 'holds':<8}{name}")
        lines += [f"        {line}" for line in wrong[:LINES_MAX]]
        if len(wrong) > LINES_MAX:
            lines.append(f"        … and {len(wrong) - LINES_MAX} more")
    return "\n".join(lines)
