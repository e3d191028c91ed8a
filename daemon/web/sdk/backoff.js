/*
 * How long to wait after failures: PACE_MS, and 1, 2, 4 … 60 s more, each of these less up to a half so that players do not
 * come back together. Where the server names a longer time, that and up to a minute more: it may have told all players the same.
 */
const LONGEST_MS = 60000;
const OBEYED_MAX_MS = 3600000;

/* Retry-After (RFC 9110), seconds or a date, in milliseconds; 0 where there is none. */
export function retryAfter(response) {
  const text = response.headers.get('Retry-After'), ms = text * 1000 || Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, OBEYED_MAX_MS) : 0;
}

export function createBackoff() {
  return {
    failures: 0,
    /*
     * TOLD is retryAfter() of the answer that failed. PACE_MS is how often the request would be
     * made if it succeeded: a crowd whose requests fail then asks no more often than one whose requests succeed.
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
