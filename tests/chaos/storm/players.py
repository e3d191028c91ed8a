"""How learners behave, honest and not. Each behaviour is a coroutine that plays until STAGE says that it is over.

Honest players watch one lesson at a time, and pause, seek, change lesson and speed; what they send is cut, joined,
repeated and delayed. Cheats claim what they did not watch: their seconds must not come out, and no second twice.
"""

import asyncio
import copy

from harness.player import run

from .learners import LESSONS, Claim, Session

SPEEDS = (1.0, 1.0, 1.0, 1.25, 1.5, 2.0, 0.75)
MEDIA_START_MAX_MS = 3_000_000


class Stage:
    """What all players share."""

    def __init__(self):
        self.over = asyncio.Event()

    async def wait(self, seconds):
        """Less when the play is over."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    @property
    def playing(self):
        return not self.over.is_set()


async def open_session(post, learner, lesson, device):
    answer = await post.open(learner, lesson, device)
    return Session(learner, lesson, answer["session_token"], answer["server_time_ms"],
                   asyncio.get_running_loop().time())


class Watching:
    """One player on one lesson: its runs meet as long as nothing interrupts it."""

    def __init__(self, rng, session):
        self.rng, self.session = rng, session
        self.rate = rng.choice(SPEEDS)
        self.at_ms = session.elapsed_ms()
        self.media_ms = rng.randrange(MEDIA_START_MAX_MS)

    def pause_ended(self):
        self.at_ms = self.session.elapsed_ms()

    def seek(self):
        self.media_ms = self.rng.randrange(MEDIA_START_MAX_MS)

    def take(self):
        """The run since the last one; None when no millisecond has passed."""
        now_ms = self.session.elapsed_ms()
        if now_ms <= self.at_ms:
            return None
        played = run(self.at_ms, now_ms, self.media_ms, self.rate)
        self.at_ms, self.media_ms = now_ms, played["media_to_ms"]
        return played


def claim_of(rng, session, played):
    """As sent: now and then once or twice more, as if its answer had been lost."""
    return Claim(session, played, again=rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2)))


# --- honest -------------------------------------------------------------------------------------

async def watch(stage, post, learner, deliver, lessons=LESSONS, device="browser"):
    """Lesson after lesson; DELIVER is called when a player would send."""
    rng = learner.rng
    while stage.playing:
        session = await open_session(post, learner, rng.choice(lessons), device)
        watching = Watching(rng, session)
        for _ in range(rng.randint(3, 25)):
            await stage.wait(rng.uniform(0.3, 4))
            played = watching.take()
            if played is not None and played["media_to_ms"] > played["media_from_ms"]:
                post.put(claim_of(rng, session, played))
            await deliver()
            if not stage.playing:
                break
            mood = rng.random()
            if mood < 0.1:
                await stage.wait(rng.uniform(0.2, 3))
                watching.pause_ended()
            if mood < 0.2:
                watching.seek()


async def browser(stage, post, learner):
    """Sends after each stretch, and at the end until all is answered."""
    await watch(stage, post, learner, post.send)
    await post.drain()


async def phone(stage, post, learner):
    """Is offline for a while, and then delivers its queue."""
    async def deliver():
        if learner.rng.random() < 0.15:
            await post.send()
    await watch(stage, post, learner, deliver, device="phone")
    await post.drain()


async def gateway(stage, post, learners):
    """Plays for many learners, and sends for them all together."""
    async def nothing():
        pass

    async def send_all():
        while stage.playing:
            await stage.wait(post.rng.uniform(0.5, 2))
            await post.send()
    await asyncio.gather(send_all(), *(watch(stage, post, x, nothing, device="gateway") for x in learners))
    await post.drain()


async def passers_by(stage, post, new_learner):
    """One after another who watches once and never comes back: nothing later hides what was lost of them."""
    while stage.playing:
        learner = new_learner()
        session = await open_session(post, learner, learner.rng.choice(LESSONS), "browser")
        watching = Watching(learner.rng, session)
        await asyncio.sleep(learner.rng.uniform(1, 3))
        post.put(Claim(session, watching.take()))   # once accepted, not sent again
        await post.send()
    await post.drain()


# --- dishonest ----------------------------------------------------------------------------------

async def tabs(stage, posts, learner):
    """Several lessons at once on several devices: each second is credited to one of them."""
    await asyncio.gather(*(watch(stage, post, learner, post.send, [lesson], f"tab-{lesson}")
                           for post, lesson in zip(posts, LESSONS)))
    for post in posts:
        await post.drain()


async def repeater(stage, post, learner):
    """Claims again what it claimed, in other cuts that overlap: nothing that really passed more than once."""
    rng, past = learner.rng, []

    async def deliver():
        past.extend(post.queue[-1:])
        del past[:-200]
        for claim in rng.sample(past, min(3, len(past))):
            post.put(Claim(claim.session, dict(claim.run), again=1))
            post.put(Claim(claim.session, shifted(rng, claim), again=0))
        await post.send()
    await watch(stage, post, learner, deliver)
    await post.drain()


def shifted(rng, claim):
    """A run that overlaps CLAIM's and ends no later."""
    start, end = claim.run["from_ms"], claim.run["to_ms"]
    begin = max(0, start - rng.randint(0, 5000))
    return run(begin, end, rng.randrange(MEDIA_START_MAX_MS), claim.run["rate"])


def forged(rng, session):
    """A session whose token is not what we signed: a character is another one."""
    fake = copy.copy(session)
    at = rng.randrange(4, len(session.token))
    fake.token = session.token[:at] + ("A" if session.token[at] != "A" else "B") + session.token[at + 1:]
    return fake


def undeserved(rng, session):
    """A claim that must come to nothing."""
    now_ms = session.elapsed_ms() + 1
    media = rng.randrange(MEDIA_START_MAX_MS)
    ahead = now_ms + rng.randint(600_000, 3_000_000)
    kinds = (
        lambda: (session, run(ahead, ahead + 60_000, media)),
        lambda: (session, run(0, now_ms, media, 16.0)),
        lambda: (session, {**run(0, now_ms + 2000, media), "media_to_ms": media + 16 * now_ms + 60_000}),
        lambda: (session, run(now_ms, now_ms + 601_000, media)),
        lambda: (forged(rng, session), run(0, now_ms, media)),
        lambda: (session, {**run(0, now_ms, media), "rate": "1"}),
    )
    where, played = rng.choice(kinds)()
    return Claim(where, played, deserved=False)


async def forger(stage, post, learner):
    """Sends nothing that deserves credit."""
    rng = learner.rng
    session = await open_session(post, learner, rng.choice(LESSONS), "script")
    while stage.playing:
        await stage.wait(rng.uniform(0.5, 3))
        for _ in range(rng.randint(1, 4)):
            post.put(undeserved(rng, session))
        await post.send()
    await post.drain()
