/*
 * localStorage. A page may not be allowed to use it (privacy settings, sandboxed frames), and it may be full. Then nothing is
 * kept beyond the page's life, and everything else works.
 */
import {attempt} from './page.js';

export function openStorage() {
  const storage = attempt(() => localStorage);
  return {
    read: key => attempt(() => storage.getItem(key)),
    /* True if the value is stored. */
    write: (key, value) => attempt(() => (storage.setItem(key, value), true)),
    remove: key => attempt(() => storage.removeItem(key)),
    keys: prefix => attempt(() => Object.keys(storage).filter(key => key.startsWith(prefix)), []),
  };
}

export function randomId() {
  return Array.from({length: 4}, () => Math.random().toString(36).slice(2, 8)).join('');
}

/* The name of this browser; operators tell a learner's devices apart by it. */
export function deviceId(storage) {
  const stored = storage.read('minuted:device'), id = /^\w{1,64}$/.test(stored || '') ? stored : randomId();
  storage.write('minuted:device', id);
  return id;
}
