/*
 * Follows one player, which plays one lesson at a time: watches the media element, opens sessions, and hands runs to the outbox.
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
const SAVE_MS = 5000; // a crash loses no more than this
const CLOCK_ERROR_MAX_MS = 2000;
const RENEW_MS = 600000; // before a session expires
const UNKNOWN_MS = 60000; // if no daemon has known the session for this time, another one is opened
const HELD_MAX = 1500; // runs of up to a minute

const wallAhead = () => Date.now() - performance.now();

export function createTracker(target, options, endpoint, outbox, deviceId, say) {
  const backoff = createBackoff();
  const owner = {result, answered};
  let lessonId = options.lessonId;
  let media = null, seeking = false, blocked = false, interval = 15000, cutAt = 0, savedAt = 0, asking = false, destroyed = false;
  let session = null, generation = 0, opening = false, timer = 0, refused = false, over = false;
  let wall = wallAhead();
  let held = null; // runs since the clock came into doubt; null while it is not in doubt
  let unknownSince = 0; // on this page's clock: since when every answer says that the session's token is unknown; 0 if none does
  let late = 0; // by how many ms the monotonic clock has fallen behind the wall clock since then

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

  /* What was played since the last cut, as an item; null if nothing was. It is stored so that a crash does not lose it. Held runs
   * are not stored: they do not know their seconds yet, and must not claim two sets of them. */
  function unsent() {
    const run = session && !held && recorder.peek();
    return run ? itemOf(run, 0) : null;
  }

  /* --- the session ---------------------------------------------------------------------------- */

  /*
   * Queues the held runs, later by the time that the clock missed, which the time of the NEXT session shows. If the computer
   * slept more than once meanwhile, the wall clock says how much was missed before each run, provided that it is right about
   * the sum. If there is no next session (null), the wall clock alone says how much was missed.
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

  /* Until the answer comes, runs go on in the present session. */
  async function open() {
    if (opening || timer || destroyed) return;
    const mine = generation, current = () => mine === generation && !destroyed;
    opening = true;
    try {
      const ahead = wallAhead(), next = await openSession(endpoint, options.getToken, lessonId, deviceId);
      if (!current()) return;
      opening = false;
      if (Math.abs(wallAhead() - ahead) > CLOCK_ERROR_MAX_MS) open(); // the computer may have slept before the answer came
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

  /* The wall clock and the monotonic clock part if the computer slept or if somebody set the time. A new session tells which. */
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
   * When a session is over, another one is opened. While operators rotate the session keys, some daemons do not know a token
   * that others know; such a run is kept and sent again. If no daemon has known the token for a minute, its key is lost, and
   * only another session can be credited.
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
   * TYPE is the media event that caused the sample, if one did. If the element says that it cannot go on, the run ends and
   * another one begins at once. That one stays empty while the position stands still; if the position runs on, nothing is lost.
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
    /* The promise is false while there is no session, since nothing that is played can be sent, and while runs are held. */
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
