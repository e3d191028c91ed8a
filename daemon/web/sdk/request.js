/*
 * One request with a time limit for all of it. An answer that does not end in time counts as none.
 */
const TIMEOUT_MS = 15000;

/* Whether a refusal is the daemon's own. One by something on the way, such as a gateway, says nothing final of the request. */
export const isVerdict = response => /problem\+json/.test(response.headers.get('Content-Type'));

/* Returns {response, at, body}: `at` is when the answer began, on this page's clock; `body` is its JSON, or null. */
export async function request(url, options) {
  const abort = new AbortController(), timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, {credentials: 'omit', cache: 'no-store', signal: abort.signal, ...options});
    const at = performance.now();
    return {response, at, body: await response.json().catch(() => null)};
  } finally {
    clearTimeout(timer);
  }
}
