/*
 * A session: the daemon's word for one learner, lesson and device, and this page's clock since its answer came.
 */
import {isVerdict, request} from './request.js';

const TOKEN_TIMEOUT_MS = 60000;

/* REFUSED is true where the daemon itself says that there can be no session now. */
function sessionError(response, body) {
  const {status} = response, error = new Error((body && body.detail) || `the session was answered ${status}`);
  return Object.assign(error, {status, response, refused: isVerdict(response) && status < 405});
}

/* The platform's token; a page that never gives one is asked again. */
function askToken(getToken) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('getToken gave no token within a minute')), TOKEN_TIMEOUT_MS));
  return Promise.race([Promise.resolve().then(getToken), late]);
}

/* Opens a session or throws; GET_TOKEN gives the platform's token. */
export async function openSession(endpoint, getToken, lessonId, deviceId) {
  const token = await askToken(getToken), asked = performance.now();
  const {response, at: opened, body} = await request(new URL('v1/sessions', endpoint).href, {
    method: 'POST', headers: {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'},
    body: JSON.stringify({lesson_id: lessonId, device_id: deviceId}),
  });
  if (!response.ok) throw sessionError(response, body);
  if (!body || !body.session_token) throw new Error('what answered is not minuted'); // a captive portal, for one
  // The clock starts no earlier than the answer came, so that no run lies ahead of the daemon's time.
  return {answer: {...body, lesson_id: lessonId}, opened, delay: opened - asked};
}

/* The daemon's time, in Unix ms, at NOW of this page's clock: at most that much late as the answer took to come. */
export const serverTime = (session, now) => session.answer.server_time_ms + now - session.opened;

/* A recorder's run as it is sent; SHIFT is what this page's clock missed. Null where it claims no second. */
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

/* By how much, in ms, an answer's time shows that this page's clock stood still or ran fast; 0 when the network explains it. */
export function clockError(session, serverTimeMs, sent, received) {
  const slow = serverTimeMs - serverTime(session, received) - session.delay, fast = serverTime(session, sent) - serverTimeMs;
  return Math.max(0, slow, fast);
}
