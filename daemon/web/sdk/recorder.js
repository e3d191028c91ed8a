/*
 * Makes runs from samples of a player. A run is a stretch in which the media advanced as fast as the clock says. Pure; every
 * time is in milliseconds of one monotonic clock.
 *
 *     {now, media, rate, playing, jumped}  ->  {from, to, media_from, media_to, rate}
 *
 * A run includes the time between its samples, so a late timer (of a tab in the background) loses nothing. It ends when a
 * sample finds the player stopped, moved, or at another rate. The end of a run is the beginning of the run that follows it.
 */
const RUN_MAX_MS = 60000;
const STILL_MAX_MS = 1100; // a remote player may report its position only once a second
const UNSEEN_MAX_MS = 2000; // the most playing that is assumed between the last sample and a seek; samples come at least once a second

/* How far the media may be from where the clock expects it. The daemon allows the same. */
const slack = expected => 500 + expected / 10;

export function createRecorder(emit) {
  let first = null; // the open run's first sample; null while nothing plays
  let last = null; // the open run's newest sample
  let moved = null; // the newest sample at which the media had advanced
  let fresh = false; // whether the media has not moved since the run began

  /* The run between two samples; null if nothing was played. */
  function runOf(from, to) {
    const run = {from: from.now, to: to.now, media_from: from.media, media_to: to.media, rate: from.rate};
    return run.to > run.from && run.media_to > run.media_from ? run : null;
  }

  function put(from, to) {
    const run = runOf(from, to);
    if (run) emit(run);
  }

  /* How far the media of SAMPLE is from where the run expects it, and whether that is within the slack. */
  const expectedAt = sample => (sample.now - first.now) * first.rate;
  const drift = sample => sample.media - first.media - expectedAt(sample);
  const passes = sample => Math.abs(drift(sample)) <= slack(expectedAt(sample));

  const still = () => last.now - moved.now > STILL_MAX_MS;
  const end = () => (still() || !passes(last) ? moved : last);
  const after = (sample, elapsed, media) => ({...sample, now: sample.now + elapsed, media});

  function finish(to) {
    put(first, to);
    first = last = moved = null;
  }

  function start(sample) {
    first = last = moved = sample;
    fresh = true;
  }

  /* Players report that they play before the first picture moves. The run begins when the picture began to move. */
  function begin(sample) {
    const elapsed = (sample.media - first.media) / first.rate;
    first = {...first, now: Math.max(first.now, sample.now - elapsed)};
    fresh = false;
  }

  function accept(sample) {
    if (fresh && sample.media > first.media) begin(sample);
    const speed = (sample.media - first.media) / (sample.now - first.now);
    while (sample.now - first.now > RUN_MAX_MS) {
      const edge = after(first, RUN_MAX_MS, first.media + RUN_MAX_MS * speed);
      put(first, edge);
      first = edge;
    }
    if (sample.media > last.media) moved = sample;
    last = sample;
  }

  /* Where the open run ended, if SAMPLE does not continue it; null if it does. */
  function breakBefore(sample) {
    if (sample.jumped) {
      const unseen = Math.min(sample.now - last.now, UNSEEN_MAX_MS);
      return fresh || still() ? moved : after(last, unseen, last.media + unseen * first.rate);
    }
    const advance = sample.media - moved.media, expected = (sample.now - moved.now) * first.rate;
    if (advance < -slack(0) || advance - expected > slack(expected)) return end();
    if (passes(sample)) return null;
    if (drift(sample) > 0) return end();
    if (advance > 0) return after(moved, advance / first.rate, sample.media);
    return sample.now - moved.now > STILL_MAX_MS ? moved : null;
  }

  return {
    observe(sample) {
      if (first) {
        const broken = breakBefore(sample);
        if (broken) finish(broken);
        else {
          accept({...sample, rate: first.rate});
          if (!sample.playing || sample.rate !== first.rate) finish(end());
        }
      }
      if (!first && sample.playing) start(sample);
    },
    /* Emits what was played so far. The run goes on from there. */
    cut() {
      if (!first) return;
      const to = end();
      put(first, to);
      if (still()) first = last;
      else if (to.media > first.media) first = to;
    },
    /* Emits what was played so far and ends the run. */
    close() {
      if (first) finish(end());
    },
    /* What cut() would emit, or null. */
    peek() {
      return first ? runOf(first, end()) : null;
    },
  };
}
