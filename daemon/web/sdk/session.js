/*
 * A session: the daemon's answer for one learner, lesson and device, and when that came on this page's clock.
 */
import {isVerdict, request} from './request.js';

const TOKEN_TIMEOUT_MS = 60000;

/* `refused` says that the daemon itself refuses the session, and not something on the way. */
function sessionError(response, body) {
  const {status} = response, error = new Error((body && body.detail) || `the session was answered ${status}`);
  return Object.assign(error, {status, response, refused: isVerdict(response) && status < 405});
}

/* Asks the page for the platform's token. The time limit lets a page that never answers be asked again. */
function askToken(getToken) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('getToken gave no token within a minute')), TOKEN_TIMEOUT_MS));
  return Promise.race([Promise.resolve().then(getToken), late]);
}

/* Opens a session, or throws. GETTOKEN is the page's function that gives the platform's token. */
export async function openSession(endpoint, getToken, lessonId, deviceId) {
  const token = await askToken(getToken), asked = performance.now();
  const {response, at: opened, body} = await request(new URL('v1/sessions', endpoint).href, {
    method: 'POST', headers: {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'},
    body: JSON.stringify({lesson_id: lessonId, device_id: deviceId}),
  });
  if (!response.ok) throw sessionError(response, body);
  if (!body || !body.session_token) throw new Error('what answered is not minuted'); // such as a captive portal
  // The session's clock starts when the answer comes and no earlier, so that no run lies ahead of the daemon's time.
  return {answer: {...body, lesson_id: lessonId}, opened, delay: opened - asked};
}

/* The daemon's time in Unix ms when this page's clock says NOW. It is late by at most the time that the answer took. */
export const serverTime = (session, now) => session.answer.server_time_ms + now - session.opened;

/* A recorder's run in the form in which it is sent; null if it claims no second. SHIFT is the time in ms that this page's clock
 * missed. */
export function claim(session, run, shift) {
  const since = now => Math.max(0, Math.floor(now - session.opened + shift));
  const sent = {
    from_ms: since(run.from),
    to_ms: since(run.to),
    media_from_ms: Math.round(run.media_from),
    media_to_ms: Math.round(run.media_to),
    rate: run.rate,
  };
  const second = ms => Math.ceil((session.answer.server_time_ms + ms) / 1000);
  return second(sent.to_ms) > second(sent.from_ms) && sent.media_to_ms > sent.media_from_ms ? sent : null;
}

/* By how many ms this page's clock stood still or ran fast, judged by the time in an answer. 0 if the network's delay explains
 * the difference. */
export function clockError(session, serverTimeMs, sent, received) {
  const slow = serverTimeMs - serverTime(session, received) - session.delay, fast = serverTime(session, sent) - serverTimeMs;
  return Math.max(0, slow, fast);
}
