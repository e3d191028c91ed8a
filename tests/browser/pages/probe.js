/*
 * Measures what was really played, without the SDK: for every media element of the page the real seconds in which its
 * media advanced, from its position alone. The clock is taken before anything can be put in its place. A sample that
 * comes late, as timers of hidden pages do, loses nothing: what counts is how far the media came, not how often one looks.
 */
(() => {
  const clock = performance.now.bind(performance), every = setInterval;
  const elements = new Map();
  const events = ['play', 'playing', 'pause', 'waiting', 'seeking', 'seeked', 'ratechange', 'timeupdate', 'ended', 'stalled'];
  const probe = {played: 0, media: 0, counts: {}, hidden_ticks: [], problems: [], clock};

  /* More than the clock and the rate allow is a seek, less than nothing too. */
  function sample(element) {
    const now = clock(), position = element.currentTime, before = elements.get(element);
    elements.set(element, {now, position, rate: element.playbackRate});
    if (!before) return;
    const advance = position - before.position, real = advance / before.rate, elapsed = (now - before.now) / 1000;
    if (advance <= 0 || real > elapsed + 0.3) return;
    probe.played += real;
    probe.media += advance;
  }

  for (const type of events) {
    addEventListener(type, event => {
      if (!(event.target instanceof HTMLMediaElement)) return;
      probe.counts[type] = (probe.counts[type] || 0) + 1;
      sample(event.target);
    }, true);
  }
  every(() => {
    if (document.hidden) probe.hidden_ticks.push(Math.round(clock()));
    document.querySelectorAll('video, audio').forEach(sample);
  }, 50);
  /* To the server of the page itself, and not by way of the SDK. */
  addEventListener('pagehide', () => {
    document.querySelectorAll('video, audio').forEach(sample);
    navigator.sendBeacon('/goodbye', String(probe.played));
  });
  addEventListener('error', event => event.message && probe.problems.push(event.message));
  addEventListener('unhandledrejection', event => probe.problems.push(`unhandled: ${event.reason}`));
  globalThis.probe = probe;
})();
