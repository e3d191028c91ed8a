/*
 * Samples of a player become runs: stretches in which the media advanced as fast as the clock says. Pure; every time
 * is in milliseconds of one monotonic clock.
 *
 *     {now, media, rate, playing, jumped}  ->  {from, to, media_from, media_to, rate}
 *
 * A run spans what lies between samples, so a timer that comes late (a tab in the background) loses nothing; it ends
 * where a sample finds the player stopped, moved or at another rate. Runs that follow each other share the edge.
 */
const RUN_MAX_MS = 60000;
const STILL_MAX_MS = 1100; // a remote player tells its position but once a second
const UNSEEN_MAX_MS = 2000; // of playing between the last sample and a seek: media events come at least once a second

/* How far the media may be from where the clock expects it: what the daemon allows. */
const slack = expected => 500 + expected / 10;

export function createRecorder(emit) {
  let first = null; // the open run's first sample; null while nothing plays
  let last = null; // its newest
  let moved = null; // the newest that found the media further on

  function put(from, to) {
    const run = {from: from.now, to: to.now, media_from: from.media, media_to: to.media, rate: from.rate};
    if (run.to > run.from && run.media_to > run.media_from) emit(run);
  }

  const still = () => last.now - moved.now > STILL_MAX_MS;
  const end = () => (still() ? moved : last);
  const after = (sample, elapsed, media) => ({...sample, now: sample.now + elapsed, media});

  function finish(to) {
    put(first, to);
    first = last = moved = null;
  }

  function start(sample) {
    first = last = moved = sample;
  }

  function accept(sample) {
    const speed = (sample.media - first.media) / (sample.now - first.now);
    while (sample.now - first.now > RUN_MAX_MS) {
      const edge = after(first, RUN_MAX_MS, first.media + RUN_MAX_MS * speed);
      put(first, edge);
      first = edge;
    }
    if (sample.media > last.media) moved = sample;
    last = sample;
  }

  /* Where the open run ended, when SAMPLE does not continue it; null when it does. */
  function breakBefore(sample) {
    const elapsed = sample.now - last.now, advance = sample.media - last.media, expected = elapsed * first.rate;
    if (sample.jumped) {
      const unseen = Math.min(elapsed, UNSEEN_MAX_MS);
      return still() ? moved : after(last, unseen, last.media + unseen * first.rate);
    }
    if (advance < -slack(0) || advance - expected > slack(expected)) return end();
    const whole = (sample.now - first.now) * first.rate, drift = sample.media - first.media - whole;
    if (Math.abs(drift) <= slack(whole)) return null;
    if (drift > 0) return end();
    return advance > 0 ? after(last, advance / first.rate, sample.media) : moved;
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
    /* Emits what was played so far; the run goes on from there. */
    cut() {
      if (!first) return;
      put(first, end());
      if (still() || last.media > first.media) first = last;
    },
    /* Emits what was played so far and ends the run. */
    close() {
      if (first) finish(end());
    },
    /* What cut() would emit, or null. */
    peek() {
      let run = null;
      if (first) {
        const to = end();
        run = {from: first.now, to: to.now, media_from: first.media, media_to: to.media, rate: first.rate};
      }
      return run && run.to > run.from && run.media_to > run.media_from ? run : null;
    },
  };
}
