/*
 * How long to wait after failures: 1, 2, 4 … 60 s, each less up to a half so that players do not come back together;
 * or what the server said.
 */
const LONGEST_MS = 60000;
const OBEYED_MIN_MS = 1000;
const OBEYED_MAX_MS = 3600000;

/* Retry-After (RFC 9110) in milliseconds; null where there is none. */
export function retryAfter(response) {
  const text = response.headers.get('Retry-After');
  if (!text) return null;
  const ms = /^\d+$/.test(text) ? text * 1000 : Date.parse(text) - Date.now();
  return ms >= 0 ? Math.min(Math.max(ms, OBEYED_MIN_MS), OBEYED_MAX_MS) : null;
}

export function createBackoff() {
  let failures = 0;
  return {
    /* TOLD is retryAfter() of the answer that failed; null or undefined where there was none. */
    next(told) {
      const longest = Math.min(LONGEST_MS, 1000 * 2 ** failures++);
      return told === null || told === undefined ? longest * (1 - Math.random() / 2) : told;
    },
    reset() {
      failures = 0;
    },
  };
}
