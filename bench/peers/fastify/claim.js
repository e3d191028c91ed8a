// Judging a run, as daemon/credit/claim.h states it.
'use strict';

const RUN_MS_MAX = 2 ** 53;
const MEDIA_MAX = 2 ** 32 - 1; // what Redis holds of media
const MAX_RUN_MS = 600000;
const CLOCK_SLACK_MS = 5000;
const RATE_MIN = 0.25;
const RATE_MAX = 2;
const ROUNDING_MS = 1e-6;

function isMs(value) {
  return typeof value === 'number' && value > -0.5 && value <= RUN_MS_MAX;
}

function wellFormed(run) {
  return typeof run === 'object' && run !== null &&
    isMs(run.from_ms) && isMs(run.to_ms) && run.to_ms > run.from_ms &&
    isMs(run.media_from_ms) && isMs(run.media_to_ms) && run.media_to_ms > run.media_from_ms &&
    Number.isFinite(run.rate);
}

function roundTimes(run) {
  for (const name of ['from_ms', 'to_ms', 'media_from_ms', 'media_to_ms']) run[name] = Math.round(run[name]);
}

function mediaMatches(run) {
  const expected = (run.to_ms - run.from_ms) * run.rate;
  const advance = run.media_to_ms - run.media_from_ms;
  return Math.abs(advance - expected) <= expected * 0.1 + 500 + ROUNDING_MS;
}

// Where the media stood at PLAYER_MS.
function mediaAt(run, playerMs) {
  if (run.to_ms === run.from_ms) return run.media_from_ms;
  const share = (playerMs - run.from_ms) / (run.to_ms - run.from_ms);
  return run.media_from_ms + Math.round(share * (run.media_to_ms - run.media_from_ms));
}

function clip(run, session, open) {
  const startMs = open.first > open.claimedFirst ? open.first * 1000 : session.anchorMs + run.from_ms;
  const stopMs = open.stop < open.claimedStop ? open.stop * 1000 : session.anchorMs + run.to_ms;
  const lengthMs = stopMs - startMs;
  const mediaFromMs = mediaAt(run, startMs - session.anchorMs);
  const mediaToMs = Math.min(mediaAt(run, stopMs - session.anchorMs), mediaFromMs + Math.ceil(lengthMs * run.rate));
  return {
    reason: null, firstSecond: open.first, endSecond: open.stop, startMs, lengthMs,
    mediaFromMs: Math.min(mediaFromMs, MEDIA_MAX), mediaToMs: Math.min(mediaToMs, MEDIA_MAX),
  };
}

function refused(reason) {
  return { reason };
}

// What of RUN is to be credited; with a reason when nothing is.
module.exports = function judge(session, lesson, nowMs, run) {
  if (!wellFormed(run)) return refused('malformed');
  roundTimes(run);
  const endMs = session.anchorMs + run.to_ms;
  if (endMs > session.expiryMs) return refused('session_expired');
  if (run.to_ms - run.from_ms > MAX_RUN_MS) return refused('too_long');
  if (run.rate < RATE_MIN || run.rate > RATE_MAX) return refused('rate_too_high');
  if (!mediaMatches(run)) return refused('media_mismatch');
  if (lesson && lesson.length_ms > 0 && run.media_to_ms > lesson.length_ms) return refused('outside_lesson');
  if (!lesson) return refused('lesson_unknown');
  const first = Math.ceil((session.anchorMs + run.from_ms) / 1000);
  const stop = Math.ceil(endMs / 1000);
  const open = { claimedFirst: first, claimedStop: stop, first, stop };
  if (first < stop) {
    open.first = Math.max(first, Math.ceil(lesson.opens_ms / 1000));
    open.stop = Math.min(stop, Math.ceil(lesson.closes_ms / 1000));
    if (open.first >= open.stop) return refused('lesson_closed');
  }
  if (endMs > nowMs + CLOCK_SLACK_MS) return refused('ahead_of_clock');
  return clip(run, session, open);
};
