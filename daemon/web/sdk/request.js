/*
 * One request, all of it within a time: an answer that does not end is none.
 */
const TIMEOUT_MS = 15000;

/* Whether the daemon answered, and not something on the way to it, whose word on a request is not the last. */
export const isVerdict = response => /problem\+json/.test(response.headers.get('Content-Type'));

/* {response, at, body}: AT is when the answer began, on this page's clock; BODY its JSON, null where it has none. */
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
