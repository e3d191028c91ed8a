/*
 * One request, all of it within a time: an answer that does not end is none.
 */
const TIMEOUT_MS = 15000;

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
