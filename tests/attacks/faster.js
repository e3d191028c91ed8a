/* What a userscript does that hurries a page: every clock and timer TIMES as fast, and a player at TIMES the speed that
   says it plays at 1. */
(() => {
  const times = TIMES;
  const epoch = Date.now(), start = performance.now(), realDate = Date.now, realNow = performance.now.bind(performance);
  performance.now = () => start + (realNow() - start) * times;
  Date.now = () => Math.round(epoch + (realDate() - epoch) * times);
  for (const name of ['setTimeout', 'setInterval']) {
    const real = window[name];
    window[name] = (action, ms, ...rest) => real(action, (ms || 0) / times, ...rest);
  }
  const speed = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'playbackRate');
  Object.defineProperty(HTMLMediaElement.prototype, 'playbackRate', {get: () => 1});
  document.addEventListener('play', event => speed.set.call(event.target, times), true);
})();
