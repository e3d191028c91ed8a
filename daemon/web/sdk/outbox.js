/*
 * Delivers runs to one endpoint for all trackers of a page. Sending again is always safe, so a run stays queued until its
 * result says `accepted` or `rejected`, whatever becomes of the request in between.
 */
import {createBackoff, retryAfter} from './backoff.js';
import {createQueue, encode, REQUEST_BYTES, REQUEST_RUNS} from './queue.js';
import {isVerdict, request} from './request.js';

const AGAIN_MS = 15000; // after results that say `retry`
const WHOLE = {401: 'token_invalid', 410: 'session_expired'}; // of a request with one session

/* text/plain needs no preflight on another origin. */
const post = (url, body, keepalive) => request(url, {method: 'POST', body, headers: {'Content-Type': 'text/plain'}, keepalive});

/*
 * An item's OWNER, where it has one, is told result(result, item), answered(answer, sent, received), and gone(token) when a
 * session may be over.
 */
export function createOutbox(endpoint, storage, say) {
  const url = new URL('v1/heartbeats', endpoint).href;
  const queue = createQueue(endpoint, storage), backoff = createBackoff();
  const keepalive = typeof Request === 'function' && 'keepalive' in Request.prototype;
  const watched = new Set(); // of trackers: functions that give the item which is not queued yet, or null
  let limit = REQUEST_RUNS, round = 0, notBefore = 0, timer = 0, running = null, wanted = false;

  const save = () => queue.save([...watched].map(unsent => unsent()).filter(Boolean));
  const owners = items => new Set(items.map(item => item.owner).filter(Boolean));

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(flushNow, delay);
  }

  function wait(told) {
    const delay = backoff.next(told);
    notBefore = performance.now() + delay;
    schedule(delay);
    say('waiting', {ms: Math.round(delay)});
    return false;
  }

  function settle(items, answer, sent) {
    const kept = items.filter((item, i) => answer.results[i].status === 'retry');
    queue.remove(items.filter(item => !kept.includes(item)));
    items.forEach((item, i) => item.owner && item.owner.result(answer.results[i], item));
    owners(items).forEach(owner => owner.answered(answer, sent, performance.now()));
    limit = Math.min(REQUEST_RUNS, limit * 2);
    backoff.reset();
    return true;
  }

  /* The daemon's word on a whole request, as results say it of runs. */
  function reject(items, reason) {
    queue.remove(items);
    items.forEach(item => item.owner && item.owner.result({status: 'rejected', reason}, item));
    return true;
  }

  /* A request that is never taken is halved until the culprit is alone. */
  function divide(items) {
    limit = items.length >> 1;
    items.forEach(item => { item.round = 0; });
    return true;
  }

  function refused(items, single, response) {
    const {status} = response, verdict = isVerdict(response);
    say('refused', {status, verdict});
    if (single && verdict && WHOLE[status]) return reject(items, WHOLE[status]);
    if (status === 410) owners(items).forEach(owner => owner.gone(items[0].token));
    if ((status === 400 || status === 413) && items.length > 1) return divide(items);
    if (status === 400 && verdict) return reject(items, 'malformed');
    if (status === 400) queue.defer(items[0]);
    return wait(retryAfter(response));
  }

  const complete = (answer, items) => answer && Array.isArray(answer.results) && answer.results.length === items.length;

  /* True when more may be sent at once. */
  async function deliver(taken) {
    const {body, items, single} = encode(taken), sent = performance.now();
    items.forEach(item => Object.assign(item, {sent: true, flying: true, round}));
    try {
      const {response, body: answer} = await post(url, body, keepalive);
      if (!response.ok) return refused(items, single, response);
      return complete(answer, items) ? settle(items, answer, sent) : wait(null); // a captive portal's page, for one
    } catch (error) {
      say('unreachable', {error: String(error)});
      return wait(null);
    } finally {
      items.forEach(item => Object.assign(item, {flying: false, left: false}));
    }
  }

  async function sendNext() {
    const items = performance.now() < notBefore ? [] : queue.take(limit, item => !item.flying && item.round !== round);
    return items.length > 0 && deliver(items);
  }

  async function drain() {
    await null; // so that flush() has its promise before this one is done
    do {
      wanted = false;
      round++;
      while (await sendNext());
    } while (wanted);
    running = null; // at once: who asks from here on is not heard by the loop above
    save();
    if (queue.size() && performance.now() >= notBefore) schedule(AGAIN_MS);
    return queue.size() === 0;
  }

  /* True when nothing is left unanswered. */
  function flush() {
    if (running) wanted = true;
    else running = drain();
    return running;
  }

  /* Timers are a little early at times: what they were set for must be due then. */
  function flushNow() {
    notBefore = 0;
    return flush();
  }

  /* Sends once more while the page goes away; what does not fit stays in localStorage for the next page. */
  function leave() {
    save();
    const items = queue.take(REQUEST_RUNS, item => !item.left && !(keepalive && item.flying));
    items.forEach(item => { item.left = true; });
    if (items.length && keepalive) deliver(items);
    else if (items.length) navigator.sendBeacon(url, encode(items).body);
  }

  queue.adopt();
  if (queue.size()) schedule(Math.random() * 1000);
  addEventListener('online', () => schedule(Math.random() * 1000));

  return {
    add: item => { queue.add(item); save(); },
    flush, leave, save,
    watch: unsent => watched.add(unsent),
    unwatch: unsent => watched.delete(unsent),
  };
}
