/*
 * Runs that are not answered yet, in the order in which they were played, and a copy of them in localStorage. Each page has a
 * key of its own, so that tabs never overwrite each other's runs. A page takes over what other pages left. If such a page is
 * still open, both send the same runs, which does no harm.
 */
import {attempt} from './page.js';
import {randomId} from './storage.js';

const PREFIX = 'minuted:queue:';
const RUNS_MAX = 5000; // a player makes one a minute, so this is more than can be delivered in time
const RUN_MAX_MS = 60000;
const KEPT_MS = 30 * 3600000; // after that time no token is valid any longer

/* Limits of one request: the daemon's for the runs; for the body the browsers' when a page is hidden, 64 KiB in all. */
export const REQUEST_RUNS = 256;
const REQUEST_BYTES = 60000;

const continues = (a, b) =>
  b.from_ms === a.to_ms && b.media_from_ms === a.media_to_ms && b.rate === a.rate && b.to_ms - a.from_ms <= RUN_MAX_MS;

const tokens = items => [...new Set(items.map(item => item.token))];
const of = (items, token) => items.filter(item => item.token === token);
const group = items => tokens(items).map(token => ({session_token: token, runs: of(items, token).map(item => item.run)}));

/* A request's body, and its items in the order of their results. SINGLE says that all are of one session. */
export function encode(items) {
  const heartbeats = group(items), single = heartbeats.length === 1;
  return {
    single,
    body: JSON.stringify(single ? heartbeats[0] : {heartbeats}),
    items: [].concat(...tokens(items).map(token => of(items, token))),
  };
}

const TOKEN = /^[!#-[\]-~]{1,4096}$/; // as daemons make them; JSON escapes none of these characters
const FIELDS = ['from_ms', 'to_ms', 'media_from_ms', 'media_to_ms', 'rate'];
const RUN_BYTES = 300;
const isRun = run => !!run && FIELDS.every(name => Number.isFinite(run[name])) && JSON.stringify(run).length < RUN_BYTES;

/* The items of a stored session. Invalid ones are left out. */
function itemsOf({session_token: token, runs}) {
  return typeof token === 'string' && TOKEN.test(token) ? runs.filter(isRun).map(run => ({token, run, sent: true})) : [];
}

/* The items in a stored text. Null if it belongs to an endpoint other than ENDPOINT; [] if it is invalid or too old. */
function decode(text, endpoint) {
  const stored = attempt(() => JSON.parse(text)) || {};
  if (stored.endpoint !== endpoint) return Date.now() - stored.saved_ms < KEPT_MS ? null : [];
  return attempt(() => [].concat(...stored.heartbeats.map(heartbeat => attempt(() => itemsOf(heartbeat), []))), []);
}

export function createQueue(endpoint, storage) {
  const key = PREFIX + randomId();
  let items = [];
  let saved = null;

  /* Stores the queue and MORE, items that are not queued yet. True if all of it is stored. */
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
    /* An item is {token, run, owner}. If it continues the item before it, and that was never sent, the two become one. */
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
    /* Moves ITEM to the end, behind the others of its session, so that they hold up no other session. */
    defer(item) {
      const rank = other => (other === item) + (other.token === item.token);
      items.sort((a, b) => rank(a) - rank(b));
    },
    save,
    /* Takes over what other pages left, and puts it before this page's items. */
    adopt() {
      for (const other of storage.keys(PREFIX)) {
        const left = other === key ? null : decode(storage.read(other), endpoint);
        if (!left) continue;
        items = [...left, ...items].slice(-RUNS_MAX);
        if (save([])) storage.remove(other);
      }
    },
    /* The first items for which CHOSEN(item) is true: at most LIMIT, no more than one request may hold, and at least one. */
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
