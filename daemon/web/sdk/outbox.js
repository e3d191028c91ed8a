/*
 * Delivers runs to one endpoint for all trackers of a page. Sending again is always safe, so a run stays queued until its
 * result says `accepted` or `rejected`, whatever becomes of the request in between.
 */
import {createBackoff, retryAfter} from './backoff.js';
import {attempt, listen} from './page.js';
import {createQueue, encode, REQUEST_RUNS} from './queue.js';
import {isVerdict, request} from './request.js';

const OVER = {401: 'token_invalid', 410: 'session_expired'}; // the daemon's word on a request with one session
const LATER = [408, 429]; // not now, whatever the request says
const OF_RUNS = [400, 413]; // the daemon's word on a run that is alone; any other may come from a gateway that speaks as it does
const PATIENCE = 3; // failures in a row after which requests become smaller
const LATE_MS = 50; // timers are a little early at times
const LATER_THAN_BEATS = 1.25; // who plays sends before that

/* text/plain needs no preflight on another origin. */
const post = (url, body, keepalive) => request(url, {method: 'POST', body, headers: {'Content-Type': 'text/plain'}, keepalive});

/*
 * An item's OWNER, where it has one, is told result(result, item) and answered(answer, sent, received).
 */
export function createOutbox(endpoint, storage, say) {
  const url = new URL('v1/heartbeats', endpoint).href;
  const queue = createQueue(endpoint, storage);
  const keepalive = attempt(() => 'keepalive' in Request.prototype);
  const watched = new Set(); // of trackers: functions that give the item which is not queued yet, or null
  const lane = () => ({...createBackoff(), limit: REQUEST_RUNS, before: 0});
  const main = lane(), aside = lane(); // runs that are not let through wait there, and go when all others are gone
  const laneOf = item => (item.aside ? aside : main);
  let pace = 15000, round = 0, timer = 0, running = null, wanted = false;
  let answers = 0, wall = -1; // how many answers of the daemon there were, and had been when a run was refused alone

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

  /* The daemon's word on a whole request, as results say it of runs. */
  const reject = (items, reason) => settle(items, {results: items.map(() => ({status: 'rejected', reason}))}, 0);

  /*
   * Not the daemon's last word, but that of something on the way, REFUSED, or no word at all. A request that is refused is
   * halved until the run that is not let through is alone. That one is set aside, and those of its session are sent after the
   * others, since it may be the token. Two refused in a row speak of a wall that lets nothing through; and no word at all
   * speaks against a run only if the daemon has answered for others since it was last alone.
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

  /* True when more may be sent at once. */
  async function deliver(taken) {
    const {body, items, single} = encode(taken), sent = performance.now();
    items.forEach(item => Object.assign(item, {sent: true, flying: true, round}));
    try {
      const {response, body: answer} = await post(url, body, keepalive);
      if (!response.ok) return refuse(items, single, response);
      if (answer && Array.isArray(answer.results) && answer.results.length === items.length) return settle(items, answer, sent);
      return doubt(items); // a captive portal's page, for one
    } catch (error) {
      say('unreachable', {error});
      return doubt(items);
    } finally {
      items.forEach(item => Object.assign(item, {flying: false, left: false}));
    }
  }

  /* The next items of a lane, where it is due; while the main one waits, nothing is. */
  function next(from) {
    if (performance.now() < Math.max(main.before, from.before)) return [];
    // Of requests that are not answered each is smaller: something in them may be why.
    const limit = from.limit >> 2 * Math.max(0, main.failures - PATIENCE);
    return queue.take(limit, item => laneOf(item) === from && !item.flying && item.round !== round);
  }

  async function sendNext() {
    const items = [main, aside].map(next).find(some => some.length);
    return !!items && deliver(items);
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
    const waits = main.before - performance.now();
    if (queue.size()) schedule(waits > 0 ? waits + LATE_MS : pace * LATER_THAN_BEATS);
    return queue.size() === 0;
  }

  /* True when nothing is left unanswered. */
  function flush() {
    if (running) wanted = true;
    else running = drain();
    return running;
  }

  /* Sends once more while the page goes away; what does not fit stays in localStorage for the next page. */
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
