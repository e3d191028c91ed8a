"""The proof's judgement is worth what it finds: one thing made wrong in what is held, and the invariant that must break."""

import random
from copy import deepcopy
from types import SimpleNamespace

import pytest
from storm.faults import Faults
from storm.learners import Learner
from storm.verdict import Held, judge, sums_of, table, totals_of

NOW = 1_700_000_000


def learner(name, honest, sent):
    x = Learner(name, "basic", honest, random.Random(1))
    x.began = NOW - 100
    for lesson, seconds in sent.items():
        x.sent[lesson] = set(seconds)
        x.accepted[lesson] = set(seconds)
    x.credited = len(set().union(*sent.values()))
    return x


def cast():
    return [learner("honest", True, {"a": range(NOW - 90, NOW - 60), "b": range(NOW - 50, NOW - 40)}),
            learner("tabs", False, {"a": range(NOW - 90, NOW - 70), "b": range(NOW - 80, NOW - 60)})]


def held():
    seconds = {("basic/honest", "a", s) for s in range(NOW - 90, NOW - 60)}
    seconds |= {("basic/honest", "b", s) for s in range(NOW - 50, NOW - 40)}
    seconds |= {("basic/tabs", "a" if s < NOW - 75 else "b", s) for s in range(NOW - 90, NOW - 60)}
    totals, sums = totals_of(seconds), sums_of(seconds)
    fields = {}
    for where in ("redis", "merged", "last"):
        fields |= {where: set(seconds), f"{where}_totals": dict(totals), f"{where}_covered": dict(totals),
                   f"{where}_sums": dict(sums)}
    return Held(**fields, watermarks=[(NOW - 60, 0), (NOW, NOW - 60)], ledger_totals=dict(totals))


def broken(learners, what):
    return {name.split()[0] for name, wrong in judge(learners, what, NOW).invariants if wrong}


def test_what_agrees_holds():
    verdict = judge(cast(), held(), NOW)
    assert verdict.holds
    assert ("sent", 40, 30) in verdict.rows
    assert ("Redis, lesson sums", 70) in verdict.sums
    assert table(verdict).count("holds") == 5


ONE = ("basic/honest", "a", NOW - 61)
LESSON = ("a", (NOW - 61) // 60 * 60)


def everywhere(h, change):
    """Changes what is held as a whole, so that only its likeness with what was sent is in question."""
    for seconds in (h.redis, h.merged, h.last):
        change(seconds)
    for totals in (h.redis_totals, h.merged_totals, h.last_totals, h.ledger_totals):
        totals.clear()
        totals.update(totals_of(h.redis))
    for sums in (h.redis_sums, h.merged_sums, h.last_sums):
        sums.clear()
        sums.update(sums_of(h.redis))


def twice(seconds):
    seconds.add(("basic/honest", "b", ONE[2]))


def thrice(seconds):
    seconds.update([(x, f"{lesson}{i}", s) for x, lesson, s in seconds for i in range(2)])


def lost(seconds):
    seconds.discard(ONE)


def invented(seconds):
    seconds.add(("basic/honest", "a", NOW - 95))


FAULTS = {
    "a second in two lessons": (lambda h: everywhere(h, twice), {"1", "3", "5"}),
    "three times what has passed": (lambda h: everywhere(h, thrice), {"1", "3", "5"}),
    "an accepted second lost": (lambda h: everywhere(h, lost), {"2", "3"}),
    "a second that nobody claimed": (lambda h: everywhere(h, invented), {"2", "3", "5"}),
    "a total that is not its masks": (lambda h: h.redis_totals.update({("basic/honest", "a"): 31}), {"2", "4"}),
    "a mask that Kafka lacks": (lambda h: h.merged.discard(ONE), {"4"}),
    "a total that Kafka lacks": (lambda h: h.merged_totals.pop(("basic/honest", "a")), {"4"}),
    "a last mask that is not the greatest": (lambda h: h.last.discard(ONE), {"4"}),
    "a last total that is not the greatest": (lambda h: h.last_totals.update({("basic/honest", "a"): 29}), {"4"}),
    "a lesson's minute doubled everywhere": (lambda h: [s.update({LESSON: (60, 2)}) for s in (
        h.redis_sums, h.merged_sums, h.last_sums)], {"2"}),
    "a lesson's minute that Kafka lacks": (lambda h: h.merged_sums.pop(LESSON), {"4"}),
    "a last lesson's minute that is not the greatest": (lambda h: h.last_sums.update({LESSON: (1, 1)}), {"4"}),
    "coverage that Kafka lacks": (lambda h: h.merged_covered.update({("basic/honest", "a"): 29}), {"4"}),
    "last coverage that is not the greatest": (lambda h: h.last_covered.update({("basic/honest", "a"): 29}), {"4"}),
    "a watermark that falls": (lambda h: h.watermarks.append((NOW - 60, NOW - 60)), {"4"}),
    "a final watermark beyond what is published": (lambda h: h.watermarks.append((NOW, NOW + 60)), {"4"}),
    "a ledger that says less": (lambda h: h.ledger_totals.update({("basic/honest", "a"): 29}), {"4"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault):
    spoil, expected = FAULTS[fault]
    what = deepcopy(held())
    spoil(what)
    assert broken(cast(), what) == expected


def test_more_time_than_has_passed():
    learners = cast()
    learners[0].began = NOW - 10
    assert broken(learners, held()) == {"1"}


def test_more_credit_in_answers_than_is_held():
    learners = cast()
    learners[0].credited += 1
    assert broken(learners, held()) == {"2"}


def test_a_claim_that_was_never_accepted():
    learners = cast()
    learners[0].accepted["a"].discard(ONE[2])
    assert broken(learners, held()) == {"3"}


def test_a_storm_without_cheats_proves_less():
    honest = cast()[:1]
    what = held()
    everywhere(what, lambda seconds: seconds.difference_update({s for s in seconds if s[0] == "basic/tabs"}))
    assert broken(honest, what) == {"5"}


def test_faults_are_repeated_by_their_seed():
    nowhere = SimpleNamespace(redis_way=None, kafka_way=None)
    plans = [[t.instants for t in Faults(nowhere, seed, 5, 1, None).threads] for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]
    assert [len(instants) for instants in plans[0]] == [5] * 7
