"""Any mixture of the attacks: what is credited lies within the time that passed, and each second of it once."""

from collections import Counter
from uuid import uuid4

from hypothesis import HealthCheck, given, settings

from harness.model import claimed_seconds
from harness.player import run
from harness.redis_truth import Truth

from arena import CHEAT, HONEST, SLACK_MS, Arena
from contest import judge_honest, next_start
from mixture import STEPS, Mixture

EXAMPLES, RATE_MAX = 60, 2


def seconds_held(client, name):
    """How often each Unix second is credited to learner NAME, over all lessons, in what Redis holds."""
    return Counter(minute + second for (learner, _, minute), seconds in Truth(client).minutes.items()
                   if learner == name for second in seconds)


def check_honest_exactly(arena):
    """Not a second more or less than begins within what was watched."""
    session, at_ms = arena.honest.session, arena.honest.at_ms
    expected = len(claimed_seconds(session.anchor_ms, run(0, at_ms))) if at_ms else 0
    assert arena.stretches > 1 or arena.credited(HONEST) == expected
    judge_honest(arena)


def check_cheat(arena, first_ms, client):
    held = seconds_held(client, f"higher/{arena.id(CHEAT)}")
    allowed = claimed_seconds(first_ms, run(0, arena.server_ms() + arena.late_ms() - first_ms))
    assert set(held) <= set(allowed), f"seconds that never passed: {sorted(set(held) - set(allowed))[:5]}"
    assert all(times == 1 for times in held.values()), "a second is credited to two lessons"
    assert arena.credited() == len(held) <= arena.seconds_passed()
    assert arena.covered() <= RATE_MAX * arena.credited(), "covered faster than may be played"


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
@given(steps=STEPS)
def test_mixture(shared, shared_redis, steps):
    arena = Arena(shared, next_start(shared.now_ms()), uuid4().hex[:8])
    mixture = Mixture(arena)
    for step in steps:
        mixture.step(*step)
        assert arena.credited() <= arena.seconds_passed() + SLACK_MS // 1000 + 1
    arena.wait(SLACK_MS + arena.late_ms())
    check_cheat(arena, mixture.tabs[0].session.anchor_ms, shared_redis.client)
    check_honest_exactly(arena)
