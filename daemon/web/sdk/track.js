/*
 * minuted.track(), the function that pages call. All trackers of one endpoint share an outbox.
 */
import {createOutbox} from './outbox.js';
import {deviceId, openStorage} from './storage.js';
import {createTracker} from './tracker.js';

function want(given, what) {
  if (!given) throw new TypeError(`minuted.track: ${what} is wanted`);
}

function check(target, options) {
  const {lessonId, getToken} = options || {};
  want(target && typeof target === 'object', 'a media element or a player object');
  want(lessonId && typeof lessonId === 'string', 'lessonId');
  want(typeof getToken === 'function', 'getToken, a function that gives the platform token,');
}

/* The address that v1/ is below: ENDPOINT if the page gives one, or else that of SCRIPT, where this code came from
 * (…/v1/minuted.js). */
function baseOf(endpoint, script) {
  const page = /^https?:/.test(location.href) ? location.href : undefined;
  if (endpoint) return new URL(String(endpoint).replace(/\/*$/, '/'), page).href;
  want(/^https?:.*\/v1\/minuted\.m?js\b/.test(script), 'endpoint');
  return new URL('../', script).href;
}

function speaker(debug) {
  if (typeof debug !== 'function') return debug ? console.debug.bind(console, 'minuted:') : () => {};
  return (event, details) => {
    try {
      debug(event, details);
    } catch (error) {
      console.error(error); // the page's own error; counting goes on
    }
  };
}

export function createMinuted(script) {
  const outboxes = new Map(), storage = openStorage();
  let device = null;

  function track(target, options) {
    check(target, options);
    const endpoint = baseOf(options.endpoint, script), say = speaker(options.debug);
    device = device || deviceId(storage);
    if (!outboxes.has(endpoint)) outboxes.set(endpoint, createOutbox(endpoint, storage, say));
    return createTracker(target, options, endpoint, outboxes.get(endpoint), device, say);
  }

  return {track};
}
