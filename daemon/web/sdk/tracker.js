/*
 * One player and one lesson at a time: watches the media element, opens sessions, hands runs to the outbox.
 */
import {createBackoff, retryAfter} from './backoff.js';
import {findMedia, isBlocked, sampleMedia} from './media.js';
import {listen, ofDocument} from './page.js';
import {createRecorder} from './recorder.js';
import {request} from './request.js';
import {claim, clockError, openSession, serverTime} from './session.js';

const EVENTS = ['play', 'playing', 'pause', 'waiting', 'seeking', 'seeked', 'ratechange', 'timeupdate', 'ended', 'emptied'];
const FLUSHED = ['pause', 'ended'];
const TICK_MS = 1000;
const SAVE_MS = 5000; // what a crash may cost
const CLOCK_ERROR_MAX_MS = 2000;
const RENEW_MS = 600000; // before a session expires
const UNKNOWN_MS = 60000; // a session that no daemon has known for so long is followed by another
const HELD_MAX = 1500; // runs of up to a minute

const wallAhead = () => Date.now() - performance.now();

export function createTracker(target, options, endpoint, outbox, deviceId, say) {
  const backoff = createBackoff();
  const owner = {result, answered};
  let lessonId = options.lessonId;
  let media = null, seeking = false, blocked = false, interval = 15000, cutAt = 0, savedAt = 0, asking = false, destroyed = false;
  let session = null, generation = 0, opening = false, timer = 0, refused = false, over = false;
  let wall = wallAhead();
  let held = null; // runs since the clock was in doubt, null while it is not
  let unknownSince = 0; // on this page's clock: since when all answers say that the session's token is not known; 0: they do not
  let late = 0; // by how much the wall clock says that the monotonic one is, since then

  const recorder = createRecorder(run => {
    if (!held) put(run, 0);
    else if (held.push({run, late}) > HELD_MAX) held.shift();
  });

  function tell(callback, ...values) {
    try {
      if (callback) callback(...values);
    } catch (error) {
      say('callback failed', {error});
    }
  }

  function itemOf(run, shift) {
    const claimed = claim(session, run, shift);
    return claimed && {token: session.answer.session_token, run: claimed, owner, session: session.answer};
  }

  function put(run, shift) {
    const item = itemOf(run, shift);
    if (item) outbox.add(item);
  }

  /* What a crash must not lose: an item of what was played since the last cut. What is held has no seconds yet, and must not
   * get two. */
  function unsent() {
    const run = session && !held && recorder.peek();
    return run ? itemOf(run, 0) : null;
  }

  /* --- the session ---------------------------------------------------------------------------- */

  /*
   * Queues the held runs, as much later as the time of the NEXT session shows that the clock missed. Where it slept more
   * than once meanwhile the wall clock tells the parts, if it is right about their sum; and where no session came (null), all.
   */
  function release(next) {
    const runs = held || [], missed = next ? next.answer.server_time_ms - serverTime(session, next.opened) : late;
    const agrees = ms => Math.abs(ms - missed) <= CLOCK_ERROR_MAX_MS;
    held = null;
    runs.forEach(one => {
      const shift = one.late === late || agrees(one.late) ? missed : agrees(late) ? one.late : 0;
      put(one.run, shift > CLOCK_ERROR_MAX_MS ? shift : 0);
    });
  }

  function finish() {
    sample();
    recorder.close();
    release(null);
  }

  function use(next) {
    sample();
    recorder.close();
    if (session) release(next);
    session = next;
    interval = next.answer.heartbeat_interval_ms;
    cutAt = performance.now();
    refused = over = false;
    unknownSince = 0;
    backoff.reset();
    say('session', session.answer);
    sample();
    outbox.flush();
  }

  function fail(error) {
    say('no session', {error});
    timer = setTimeout(retry, backoff.next(error.response && retryAfter(error.response)));
    if (error.refused && !refused) tell(options.onError, error);
    refused = !!error.refused;
  }

  function retry() {
    clearTimeout(timer);
    timer = 0;
    open();
  }

  /* Runs go on in the session that there is until the next one's answer comes. */
  async function open() {
    if (opening || timer || destroyed) return;
    const mine = generation, current = () => mine === generation && !destroyed;
    opening = true;
    try {
      const ahead = wallAhead(), next = await openSession(endpoint, options.getToken, lessonId, deviceId);
      if (!current()) return;
      opening = false;
      if (Math.abs(wallAhead() - ahead) > CLOCK_ERROR_MAX_MS) open(); // it may have slept before the answer came
      else use(next);
    } catch (error) {
      if (!current()) return;
      opening = false;
      fail(error);
    }
  }

  function openAnew() {
    refused = opening = false;
    generation++;
    retry();
  }

  /* --- the clock ------------------------------------------------------------------------------- */

  /* Wall clock and monotonic clock part when the computer slept, or when somebody set the time: a new session tells. */
  function checkClock() {
    const ahead = wallAhead(), parted = ahead - wall;
    wall = ahead;
    if (Math.abs(parted) <= CLOCK_ERROR_MAX_MS) return;
    doubt(parted);
  }

  function doubt(parted) {
    say('clock', {parted_ms: parted});
    recorder.cut();
    late = held ? late + parted : parted;
    if (session && !held) held = [];
    open();
  }

  function answered(answer, sent, received) {
    interval = answer.heartbeat_interval_ms || interval;
    if (!session || held || sent < session.opened) return;
    if (clockError(session, answer.server_time_ms, sent, received) > CLOCK_ERROR_MAX_MS) doubt(0);
  }

  /* --- results --------------------------------------------------------------------------------- */

  function result(outcome, item) {
    say('result', {...outcome, ...item.run});
    tell(options.onResult, outcome, item.run, item.session);
    if (outcome.credited_seconds > 0) askProgress(item.token);
    judgeToken(item.token, outcome.reason);
  }

  /*
   * A session that is over is followed by another one. While operators rotate the keys of sessions, some daemons do not know a
   * token that others know: the run is kept and sent again. Where none comes to know it the key is lost, and only another session
   * can be credited.
   */
  function judgeToken(token, reason) {
    if (!session || token !== session.answer.session_token) return;
    const now = performance.now(), ended = ['session_expired', 'token_invalid'].includes(reason);
    over = over || ended;
    unknownSince = reason === 'token_unknown' ? unknownSince || now : 0;
    if (ended || (unknownSince && now - unknownSince >= UNKNOWN_MS)) open();
  }

  async function askProgress(token) {
    if (!options.onProgress || asking) return;
    asking = true;
    try {
      const {response, body} = await request(new URL('v1/progress', endpoint).href, {headers: {Authorization: `Bearer ${token}`}});
      if (response.ok && body) tell(options.onProgress, body);
    } catch (error) {
      say('no progress', {error});
    }
    asking = false;
  }

  /* --- the player ------------------------------------------------------------------------------ */

  /*
   * TYPE is the media event that there was, if any. Where the element says that it cannot go on, the run ends and another one
   * begins at once: nothing comes of that one as long as the position stands still, and nothing is missing where it runs on.
   */
  function sample(type) {
    if (!media) return;
    checkClock();
    const now = performance.now(), seeks = media.seeking, stops = isBlocked(media);
    const state = sampleMedia(media, now, type === 'seeking' || (seeks && !seeking)), ends = type === 'waiting' || (stops && !blocked);
    seeking = seeks;
    blocked = stops;
    if (!session) return;
    if (ends) recorder.observe({...state, playing: false});
    recorder.observe(state);
    if (state.playing && serverTime(session, now) > session.answer.expires_at_ms - RENEW_MS) open();
  }

  function send() {
    cutAt = performance.now();
    recorder.cut();
    return outbox.flush();
  }

  function beat() {
    const now = performance.now();
    if (now - cutAt >= interval) send();
    if (now - savedAt < SAVE_MS) return;
    savedAt = now;
    outbox.save();
  }

  function onMedia(event) {
    sample(event.type);
    if (event.type === 'play' && refused) retry();
    if (FLUSHED.includes(event.type)) send();
    else beat();
  }

  const attend = verb => media && EVENTS.forEach(name => listen(verb, media, name, onMedia));

  function follow(next) {
    if (next === media) return;
    recorder.close();
    attend('remove');
    media = next;
    seeking = blocked = false;
    attend('add');
    say('media', {found: !!media});
  }

  function tick() {
    follow(findMedia(target));
    sample();
    beat();
  }

  function onOnline() {
    if (timer) retry();
  }

  function onVisibility() {
    sample();
    if (ofDocument('visibilityState') === 'hidden') send();
  }

  function leave() {
    sample();
    recorder.cut();
    release(null);
    outbox.leave();
  }

  const listeners = [[document, 'visibilitychange', onVisibility], [document, 'freeze', leave], [document, 'resume', tick],
    [window, 'pagehide', leave], [window, 'pageshow', tick], [window, 'online', onOnline]];
  const ticker = setInterval(tick, TICK_MS);
  listeners.forEach(one => listen('add', ...one));
  outbox.watched.add(unsent);
  follow(findMedia(target));
  open();

  return {
    changeLesson(next) {
      finish();
      outbox.flush();
      lessonId = next;
      session = null;
      openAnew();
    },
    /* Nothing is delivered of what is played without a session, nor of what is held until the next one tells its seconds. */
    async flush() {
      sample();
      return (await send()) && !!session && !over && !held;
    },
    destroy() {
      if (destroyed) return;
      finish();
      destroyed = true;
      follow(null);
      clearInterval(ticker);
      clearTimeout(timer);
      listeners.forEach(one => listen('remove', ...one));
      outbox.watched.delete(unsent);
      outbox.flush();
    },
  };
}
