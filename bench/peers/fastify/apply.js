// The call of `apply` for one run, and its answer: the JavaScript side of daemon/store/apply.h.
'use strict';

const HORIZON_S = 86400;
const GRACE_S = 70;
const HALF_BITS = 30;
const BUFFER_BYTES = 1024;
const FORMAT = '\x01'; // of stored values

const buffer = Buffer.alloc(BUFFER_BYTES); // the packed run, copied out before the next is written

// Seconds [from, to) of half a minute as a word; both may lie outside of it.
function halfMask(from, to) {
  const bits = (n) => 1 << Math.max(0, Math.min(n, HALF_BITS));
  return bits(to) - bits(from);
}

function putHeader(nowMs, prefix, buckets, minutes) {
  let at = buffer.writeUInt32LE(Math.floor((nowMs / 1000 - HORIZON_S) / 60), 0);
  at = buffer.writeUInt32LE(0xffffffff, at); // whatever the floor is, it is believed
  at = buffer.writeUInt8(1, at); // the clock is settled, and no WAIT follows
  at = buffer.writeUInt16LE(prefix.length + 2, at);
  at = buffer.writeUInt16LE(buckets, at);
  at = buffer.writeUInt16LE(minutes, at);
  for (let i = 0; i < 4; i++) at = buffer.writeUInt16LE(1, at); // learner, lesson, pair of them, run
  for (let i = 0; i < buckets; i++) at = buffer.writeUInt16LE(1, at); // learner in each
  return at;
}

function putRun(start, claimed, firstMinute, minutes) {
  let at = start;
  for (let i = 0; i < 3; i++) at = buffer.writeUInt16LE(1, at); // learner, lesson, pair
  at = buffer.writeUInt32LE(claimed.mediaFromMs, at);
  at = buffer.writeUInt32LE(claimed.mediaToMs, at);
  at = buffer.writeInt32LE(claimed.startMs - firstMinute * 60000, at);
  at = buffer.writeUInt32LE(claimed.lengthMs, at);
  return buffer.writeUInt8(minutes, at);
}

function putPiece(start, index, minute, claimed) {
  const from = Math.max(0, claimed.firstSecond - minute * 60);
  const to = Math.min(60, claimed.endSecond - minute * 60);
  let at = buffer.writeUInt16LE(index, start);
  at = buffer.writeUInt32LE(halfMask(from, to), at);
  at = buffer.writeUInt32LE(halfMask(from - HALF_BITS, to - HALF_BITS), at);
  return buffer.writeUInt8(to - from, at);
}

// The arguments of FCALL behind the function's name: how many keys there are, keys, the packed run, and what is said as text: each
// minute and when it is due, the lesson's head and the course.
function encode(prefix, name, session, course, claimed, nowMs) {
  const firstMinute = Math.floor(claimed.firstSecond / 60);
  const lastMinute = Math.floor((claimed.endSecond - 1) / 60);
  const firstBucket = Math.floor(firstMinute / 10);
  const lastBucket = Math.floor(lastMinute / 10);
  const minutes = lastMinute - firstMinute + 1;
  const texts = [];
  const keys = [`${prefix}floor`, `${prefix}due`, `${prefix}ld`, `${prefix}epoch`];
  for (let bucket = firstBucket; bucket <= lastBucket; bucket++) keys.push(`${prefix}w:${bucket}`);
  let at = putHeader(nowMs, prefix, lastBucket - firstBucket + 1, minutes);
  for (let minute = firstMinute; minute <= lastMinute; minute++) {
    keys.push(`${prefix}d:${minute}`, `${prefix}l:${minute}`);
    texts.push(minute, (minute + 1) * 60 + GRACE_S);
    at = buffer.writeUInt32LE(minute, at);
    at = buffer.writeUInt16LE(minute % 10, at);
    at = buffer.writeUInt16LE(Math.floor(minute / 10) - firstBucket + 1, at);
  }
  keys.push(`${prefix}t:${name}`);
  texts.push(FORMAT + String.fromCharCode(session.lesson.length) + session.lesson, course);
  at = putRun(at, claimed, firstMinute, minutes);
  for (let minute = firstMinute; minute <= lastMinute; minute++) {
    at = putPiece(at, minute - firstMinute + 1, minute, claimed);
  }
  return [keys.length, ...keys, Buffer.from(buffer.subarray(0, at)), ...texts];
}

// Seconds by what became of them.
function decode(answer, claimed) {
  const seconds = claimed.endSecond - claimed.firstSecond;
  if (answer[0] === 1) return { credited: seconds, duplicate: 0, contested: 0, late: 0 };
  const credited = answer.readUInt16LE(1);
  const contested = answer.readUInt16LE(3);
  const late = answer.readUInt16LE(5);
  return { credited, duplicate: seconds - credited - contested - late, contested, late };
}

module.exports = { encode, decode };
