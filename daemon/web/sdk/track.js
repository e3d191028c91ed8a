/*
 * minuted.track(): what a page calls. Trackers of one endpoint share an outbox.
 */
import {createOutbox} from './outbox.js';
import {deviceId, openStorage} from './storage.js';
import {createTracker} from './tracker.js';

function check(target, options) {
  if (!target || typeof target !== 'object') throw new TypeError('minuted.track: a media element or a player object is wanted');
  const {lessonId, getToken} = options || {};
  if (typeof lessonId !== 'string' || !lessonId) throw new TypeError('minuted.track: lessonId is wanted');
  if (typeof getToken !== 'function') throw new TypeError('minuted.track: getToken is wanted, a function that gives the platform token');
}

/* Where v1/ lies: ENDPOINT as given, or beside SCRIPT, the address that this code came from (…/v1/minuted.js). */
function baseOf(endpoint, script) {
  const page = /^https?:/.test(location.href) ? location.href : undefined;
  if (endpoint) return new URL(String(endpoint).replace(/\/*$/, '/'), page).href;
  if (/^https?:.*\/v1\/minuted\./.test(script)) return new URL('../', script).href;
  throw new TypeError('minuted.track: endpoint is wanted where the script does not come from the daemon');
}

function speaker(debug) {
  if (typeof debug !== 'function') return debug ? (event, details) => console.debug('minuted:', event, details) : () => {};
  return (event, details) => {
    try {
      debug(event, details);
    } catch (error) {
      console.error(error); // the page's; seconds are counted all the same
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
