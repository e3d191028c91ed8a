// Session tokens as daemon/credit/token.h describes them.
'use strict';

const { createHash, createHmac, createSecretKey, timingSafeEqual } = require('node:crypto');

const MAC_BYTES = 32;
const MAC_CHARS = 43;
const KEY_ID_BYTES = 4;
const TOKEN_MAX = 1024;
const STRINGS_AT = 32; // behind anchor, expiry and the session's id

// What is signed was once checked.
function readPayload(payload) {
  let at = STRINGS_AT;
  const takeString = () => {
    const end = at + 1 + payload[at];
    const text = payload.toString('utf8', at + 1, end);
    at = end;
    return text;
  };
  return {
    anchorMs: Number(payload.readBigInt64LE(0)),
    expiryMs: Number(payload.readBigInt64LE(8)),
    program: takeString(),
    portal: takeString(),
    learner: takeString(),
    course: takeString(),
    lesson: takeString(),
  };
}

// Returns verify(token): its session, null when it is none that KEY signed.
module.exports = function newVerifier(key) {
  const secret = createSecretKey(key);
  const head = `m1.${createHash('sha256').update(key).digest().toString('base64url', 0, KEY_ID_BYTES)}.`;

  return function verify(token) {
    if (typeof token !== 'string' || token.length > TOKEN_MAX || !token.startsWith(head)) return null;
    const dot = token.length - MAC_CHARS - 1;
    if (dot <= head.length || token[dot] !== '.') return null;
    const given = Buffer.from(token.slice(dot + 1), 'base64url');
    const computed = createHmac('sha256', secret).update(token.slice(0, dot)).digest();
    if (given.length !== MAC_BYTES || !timingSafeEqual(given, computed)) return null;
    return readPayload(Buffer.from(token.slice(head.length, dot), 'base64url'));
  };
};
