/*
 * Runs that are not answered yet, in the order in which they were played, and their copy in localStorage: under a key
 * of this page's own, so that tabs never write over each other. A page takes over what others left; where the other
 * still lives both send the same runs, which changes nothing.
 */
import {attempt} from './page.js';
import {randomId} from './storage.js';

const PREFIX = 'minuted:queue:';
const RUNS_MAX = 5000; // who plays on makes one a minute: more than can be delivered before it is too late for them
const RUN_MAX_MS = 60000;
const KEPT_MS = 30 * 3600000; // no token is taken any longer

/* One request, as the daemon allows; its body so that page-hide may send it (64 KiB for all of a page's requests). */
export const REQUEST_RUNS = 256;
const REQUEST_BYTES = 60000;

const continues = (a, b) =>
  b.from_ms === a.to_ms && b.media_from_ms === a.media_to_ms && b.rate === a.rate && b.to_ms - a.from_ms <= RUN_MAX_MS;

const tokens = items => [...new Set(items.map(item => item.token))];
const of = (items, token) => items.filter(item => item.token === token);
const group = items => tokens(items).map(token => ({session_token: token, runs: of(items, token).map(item => item.run)}));

/* A request's body, and its items in the order of the results; SINGLE when it has but one session. */
export function encode(items) {
  const heartbeats = group(items), single = heartbeats.length === 1;
  return {
    single,
    body: JSON.stringify(single ? heartbeats[0] : {heartbeats}),
    items: [].concat(...tokens(items).map(token => of(items, token))),
  };
}

const TOKEN = /^[!#-[\]-~]{1,4096}$/; // JSON escapes nothing in it; what else is stored no daemon gave
const FIELDS = ['from_ms', 'to_ms', 'media_from_ms', 'media_to_ms', 'rate'];
const RUN_BYTES = 300;
const isRun = run => !!run && FIELDS.every(name => Number.isFinite(run[name])) && JSON.stringify(run).length < RUN_BYTES;

/* A stored session's items; what is no good among them costs only itself. */
function itemsOf({session_token: token, runs}) {
  return typeof token === 'string' && TOKEN.test(token) ? runs.filter(isRun).map(run => ({token, run, sent: true})) : [];
}

/* What a stored text holds for ENDPOINT; null where it is another's, [] where it is no good or too old. */
function decode(text, endpoint) {
  const stored = attempt(() => JSON.parse(text)) || {};
  if (stored.endpoint !== endpoint) return Date.now() - stored.saved_ms < KEPT_MS ? null : [];
  return attempt(() => [].concat(...stored.heartbeats.map(heartbeat => attempt(() => itemsOf(heartbeat), []))), []);
}

export function createQueue(endpoint, storage) {
  const key = PREFIX + randomId();
  let items = [];
  let saved = null;

  /* MORE are items that are not queued yet. Whether all is kept. */
  function save(more) {
    const heartbeats = group([...items, ...more]), text = JSON.stringify(heartbeats);
    if (text === saved) return true;
    const kept = heartbeats.length
      ? storage.write(key, JSON.stringify({endpoint, saved_ms: Date.now(), heartbeats}))
      : (storage.remove(key), true);
    saved = kept ? text : null;
    return kept;
  }

  return {
    /* An item is {token, run, owner}; it is joined to the one before where that was never sent. */
    add(item) {
      const before = items[items.length - 1];
      if (before && !before.sent && before.token === item.token && continues(before.run, item.run)) {
        before.run = {...item.run, from_ms: before.run.from_ms, media_from_ms: before.run.media_from_ms};
      } else {
        items.push(item);
        if (items.length > RUNS_MAX) items.shift();
      }
    },
    remove(gone) {
      items = items.filter(item => !gone.includes(item));
    },
    /* Puts one last, and those of its session before it, so that they do not keep others from being sent. */
    defer(item) {
      const rank = other => (other === item) + (other.token === item.token);
      items.sort((a, b) => rank(a) - rank(b));
    },
    save,
    /* Takes over what other pages left, before its own. */
    adopt() {
      for (const other of storage.keys(PREFIX)) {
        const left = other === key ? null : decode(storage.read(other), endpoint);
        if (!left) continue;
        items = [...left, ...items].slice(-RUNS_MAX);
        if (save([])) storage.remove(other);
      }
    },
    /* The first items that CHOSEN(item), at most LIMIT and what one request may hold, but one at least. */
    take(limit, chosen) {
      const taken = [], said = new Set();
      let bytes = 100;
      for (const item of items.filter(chosen)) {
        bytes += JSON.stringify(item.run).length + 1 + (said.has(item.token) ? 0 : item.token.length + 40);
        if (taken.length && (taken.length >= limit || bytes > REQUEST_BYTES)) break;
        said.add(item.token);
        taken.push(item);
      }
      return taken;
    },
    size: () => items.length,
  };
}
