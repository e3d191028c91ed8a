-- Judging a run, as daemon/credit/claim.h states it.
local abs, ceil, floor, huge = math.abs, math.ceil, math.floor, math.huge
local max, min = math.max, math.min

local RUN_MS_MAX, MAX_RUN_MS, CLOCK_SLACK_MS = 2 ^ 53, 600000, 5000
local MEDIA_MAX = 2 ^ 32 - 1 -- what Redis holds of media
local RATE_MIN, RATE_MAX = 0.25, 2.0
local ROUNDING_MS = 1e-6

local claim = {}

local function is_ms(value)
  return type(value) == 'number' and value > -0.5 and value <= RUN_MS_MAX
end

local function well_formed(run)
  return type(run) == 'table' and is_ms(run.from_ms) and is_ms(run.to_ms) and run.to_ms > run.from_ms
    and is_ms(run.media_from_ms) and is_ms(run.media_to_ms) and run.media_to_ms > run.media_from_ms
    and type(run.rate) == 'number' and run.rate == run.rate and abs(run.rate) < huge
end

local function round_times(run)
  run.from_ms, run.to_ms = floor(run.from_ms + 0.5), floor(run.to_ms + 0.5)
  run.media_from_ms, run.media_to_ms = floor(run.media_from_ms + 0.5), floor(run.media_to_ms + 0.5)
end

local function media_matches(run)
  local expected = (run.to_ms - run.from_ms) * run.rate
  local advance = run.media_to_ms - run.media_from_ms
  return abs(advance - expected) <= expected * 0.10 + 500 + ROUNDING_MS
end

-- Where the media stood at PLAYER_MS.
local function media_at(run, player_ms)
  if run.to_ms == run.from_ms then return run.media_from_ms end
  local share = (player_ms - run.from_ms) / (run.to_ms - run.from_ms)
  return run.media_from_ms + floor(share * (run.media_to_ms - run.media_from_ms) + 0.5)
end

-- Why RUN is not accepted, nil when it is; then also what is left of it to be credited.
function claim.judge(session, lesson, now_ms, run)
  if not well_formed(run) then return 'malformed' end
  round_times(run)
  local start_ms, end_ms = session.anchor_ms + run.from_ms, session.anchor_ms + run.to_ms
  if end_ms > session.expiry_ms then return 'session_expired' end
  if run.to_ms - run.from_ms > MAX_RUN_MS then return 'too_long' end
  if run.rate < RATE_MIN or run.rate > RATE_MAX then return 'rate_too_high' end
  if not media_matches(run) then return 'media_mismatch' end
  if lesson and lesson.length_ms > 0 and run.media_to_ms > lesson.length_ms then return 'outside_lesson' end
  if not lesson then return 'lesson_unknown' end
  local first, stop = ceil(start_ms / 1000), ceil(end_ms / 1000)
  local open_first, open_stop = first, stop
  if first < stop then
    open_first = max(first, ceil(lesson.opens_ms / 1000))
    open_stop = min(stop, ceil(lesson.closes_ms / 1000))
    if open_first >= open_stop then return 'lesson_closed' end
  end
  if end_ms > now_ms + CLOCK_SLACK_MS then return 'ahead_of_clock' end
  local claimed_ms = open_first > first and open_first * 1000 or start_ms
  local stop_ms = open_stop < stop and open_stop * 1000 or end_ms
  local length_ms = stop_ms - claimed_ms
  local media_from_ms = media_at(run, claimed_ms - session.anchor_ms)
  local media_to_ms = min(media_at(run, stop_ms - session.anchor_ms), media_from_ms + ceil(length_ms * run.rate))
  return nil, {
    first_second = open_first, end_second = open_stop, start_ms = claimed_ms, length_ms = length_ms,
    media_from_ms = min(media_from_ms, MEDIA_MAX), media_to_ms = min(media_to_ms, MEDIA_MAX),
  }
end

return claim
