/*
 * How long to wait after failures: the pace of successful requests, and 1, 2, 4 … 60 s more. Up to half of that addition is
 * taken off at random, so that players do not all come back at the same moment. If the server asks for a longer time, the wait
 * is that time and up to a minute more, because the server may have told every player the same.
 */
const LONGEST_MS = 60000;
const OBEYED_MAX_MS = 3600000;

/* The Retry-After header (RFC 9110: seconds or a date) in milliseconds; 0 if there is none. */
export function retryAfter(response) {
  const text = response.headers.get('Retry-After'), ms = text * 1000 || Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, OBEYED_MAX_MS) : 0;
}

export function createBackoff() {
  return {
    failures: 0,
    /*
     * TOLD is retryAfter() of the failed answer. PACE_MS is the interval at which the request is made while it succeeds.
     * Because the wait includes it, a crowd whose requests fail asks no more often than one whose requests succeed.
     */
    next(told = 0, paceMs = 0) {
      const more = Math.min(LONGEST_MS, 1000 * 2 ** this.failures++) * (1 - Math.random() / 2);
      return Math.max(paceMs + more, told + Math.random() * Math.min(told, LONGEST_MS));
    },
    reset() {
      this.failures = 0;
    },
  };
}
