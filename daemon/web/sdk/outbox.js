/*
 * Delivers runs to one endpoint for all trackers of a page. Sending a run twice is always safe. Therefore a run stays queued
 * until its result says `accepted` or `rejected`, whatever happens to requests before that.
 */
import {createBackoff, retryAfter} from './backoff.js';
import {attempt, listen} from './page.js';
import {createQueue, encode, REQUEST_RUNS} from './queue.js';
import {isVerdict, request} from './request.js';

const OVER = {401: 'token_invalid', 410: 'session_expired'}; // what the daemon's refusal of a request with one session means
const LATER = [408, 429]; // the request may be sent again later, whatever it holds
const OF_RUNS = [400, 413]; // a refusal of a run that was sent alone; other statuses may come from a gateway that answers as the daemon does
const PATIENCE = 3; // failures in a row after which requests become smaller
const LATE_MS = 50; // because timers sometimes fire a little early
const LATER_THAN_BEATS = 1.25; // a player that plays has sent before this time

/* A request of text/plain to another origin needs no preflight. */
const post = (url, body, keepalive) => request(url, {method: 'POST', body, headers: {'Content-Type': 'text/plain'}, keepalive});

/* If an item has an owner, its result(result, item) and answered(answer, sent, received) are called. */
export function createOutbox(endpoint, storage, say) {
  const url = new URL('v1/heartbeats', endpoint).href;
  const queue = createQueue(endpoint, storage);
  const keepalive = attempt(() => 'keepalive' in Request.prototype);
  const watched = new Set(); // functions of the trackers; each returns what is not queued yet as an item, or null
  const lane = () => ({...createBackoff(), limit: REQUEST_RUNS, before: 0});
  const main = lane(), aside = lane(); // `aside` holds runs that do not get through; they are sent after all others
  const laneOf = item => (item.aside ? aside : main);
  let pace = 15000, round = 0, timer = 0, running = null, wanted = false;
  let answers = 0, wall = -1; // the daemon's answers so far, and how many there had been when a run last failed alone

  const save = () => queue.save([...watched].map(unsent => unsent()).filter(Boolean));

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(flush, delay);
  }

  function wait(from, told) {
    const delay = from.next(told, from === main ? pace : pace * (1 + Math.random()));
    from.before = performance.now() + delay;
    say('waiting', {ms: Math.round(delay)});
    return false;
  }

  function settle(items, answer, sent) {
    const from = laneOf(items[0]), kept = items.filter((item, i) => answer.results[i].status === 'retry');
    kept.forEach(item => { item.aside = false; });
    queue.remove(items.filter(item => !kept.includes(item)));
    items.forEach((item, i) => item.owner && item.owner.result(answer.results[i], item));
    new Set(items.map(item => item.owner)).forEach(owner => owner && owner.answered(answer, sent, performance.now()));
    pace = answer.heartbeat_interval_ms || pace;
    from.limit = Math.min(REQUEST_RUNS, from.limit * 2);
    main.reset();
    from.reset();
    answers++;
    return true;
  }

  /* The daemon rejected the whole request: each of its runs gets that as its result. */
  const reject = (items, reason) => settle(items, {results: items.map(() => ({status: 'rejected', reason}))}, 0);

  /*
   * A request failed, and not by the daemon's verdict: either something on the way REFUSED it, or no answer came. If it was
   * refused, the next requests are half as long, until the run that does not get through is alone. That run is set aside, and
   * the other runs of its session go to the end of the queue, because the cause may be their common token. If two runs in a
   * row are refused alone, something lets nothing through, and everything waits. A missing answer counts against a run only
   * if the daemon has answered other requests since the run was last alone.
   */
  function doubt(items, told, refused) {
    const from = laneOf(items[0]), [first, ...others] = items, goOn = refused && answers > wall;
    if (!others.length) {
      first.aside = first.aside || refused || first.answers < answers;
      first.answers = wall = answers;
      queue.defer(first);
    } else if (refused) {
      from.limit = items.length >> 1;
      items.forEach(item => { item.round = 0; });
    }
    if (first.aside) wait(aside, told);
    return from === aside || goOn || wait(main, told);
  }

  function refuse(items, single, response) {
    const {status} = response, told = retryAfter(response), verdict = isVerdict(response), refused = status < 500;
    say('refused', {status, verdict});
    if (LATER.includes(status) || (verdict && !refused)) return wait(main, told);
    if (single && verdict && OVER[status]) return reject(items, OVER[status]);
    if (items.length === 1 && verdict && OF_RUNS.includes(status)) return reject(items, 'malformed');
    return doubt(items, told, refused);
  }

  /* Sends the items TAKEN. True if more may be sent at once. */
  async function deliver(taken) {
    const {body, items, single} = encode(taken), sent = performance.now();
    items.forEach(item => Object.assign(item, {sent: true, flying: true, round}));
    try {
      const {response, body: answer} = await post(url, body, keepalive);
      if (!response.ok) return refuse(items, single, response);
      if (answer && Array.isArray(answer.results) && answer.results.length === items.length) return settle(items, answer, sent);
      return doubt(items); // such as the page of a captive portal
    } catch (error) {
      say('unreachable', {error});
      return doubt(items);
    } finally {
      items.forEach(item => Object.assign(item, {flying: false, left: false}));
    }
  }

  /* The next items of a lane if it is due. While the main lane waits, neither is due. */
  function next(from) {
    if (performance.now() < Math.max(main.before, from.before)) return [];
    // After several failures requests become smaller, because their size may be the cause.
    const limit = from.limit >> 2 * Math.max(0, main.failures - PATIENCE);
    return queue.take(limit, item => laneOf(item) === from && !item.flying && item.round !== round);
  }

  async function sendNext() {
    const items = [main, aside].map(next).find(some => some.length);
    return !!items && deliver(items);
  }

  async function drain() {
    await null; // flush() must hold the promise before this function can end
    do {
      wanted = false;
      round++;
      while (await sendNext());
    } while (wanted);
    running = null; // without an await in between: the loop above would miss a flush() from here on
    save();
    const waits = main.before - performance.now();
    if (queue.size()) schedule(waits > 0 ? waits + LATE_MS : pace * LATER_THAN_BEATS);
    return queue.size() === 0;
  }

  /* Sends what is queued; the promise is true if nothing is left unanswered. */
  function flush() {
    if (running) wanted = true;
    else running = drain();
    return running;
  }

  /* Sends a last time while the page goes away. What does not fit stays in localStorage for the next page. */
  function leave() {
    save();
    const items = queue.take(REQUEST_RUNS, item => !item.aside && !item.left && !(keepalive && item.flying));
    items.forEach(item => { item.left = true; });
    if (!items.length) return;
    if (keepalive) deliver(items);
    else navigator.sendBeacon(url, encode(items).body);
  }

  queue.adopt();
  if (queue.size()) schedule(Math.random() * 1000);
  listen('add', window, 'online', () => {
    main.before = aside.before = 0;
    setTimeout(flush, Math.random() * 1000);
  });

  return {
    add(item) {
      pace = item.session.heartbeat_interval_ms;
      queue.add(item);
      save();
    },
    flush, leave, save, watched,
  };
}
