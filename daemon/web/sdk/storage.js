/*
 * localStorage, which a page may be refused (privacy settings, sandboxed frames) or find full: then nothing is kept
 * beyond the page, and nothing breaks.
 */
import {attempt} from './page.js';

export function openStorage() {
  const storage = attempt(() => localStorage);
  return {
    read: key => attempt(() => storage.getItem(key)),
    /* Whether it is kept. */
    write: (key, value) => attempt(() => (storage.setItem(key, value), true)),
    remove: key => attempt(() => storage.removeItem(key)),
    keys: prefix => attempt(() => Object.keys(storage).filter(key => key.startsWith(prefix)), []),
  };
}

export function randomId() {
  return Array.from({length: 4}, () => Math.random().toString(36).slice(2, 8)).join('');
}

/* Names this browser, so that operators can tell a learner's devices apart. */
export function deviceId(storage) {
  const stored = storage.read('minuted:device'), id = /^\w{1,64}$/.test(stored || '') ? stored : randomId();
  storage.write('minuted:device', id);
  return id;
}
