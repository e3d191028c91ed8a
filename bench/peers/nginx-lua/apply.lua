-- The call of `apply` for one run, and its answer: the Lua side of daemon/store/apply.h.
local ffi = require 'ffi'
local bytes = require 'bytes'

local floor, min, max, byte, char = math.floor, math.min, math.max, string.byte, string.char
local put_u8, put_u16, put_u32, put_i32 = bytes.put_u8, bytes.put_u16, bytes.put_u32, bytes.put_i32

ffi.cdef [[
uint64_t XXH64(const void *input, size_t length, uint64_t seed);
]]
local xxhash = ffi.load('libxxhash.so.0')

local HORIZON_S, GRACE_S = 86400, 70
local FORMAT = 1 -- of stored values
local buffer = bytes.new(1024) -- the longest run and the longest ids take half of it

local apply = {}
local prefixes = {}

-- The key prefix of each partition, in order.
function apply.configure(list)
  prefixes = list
end

-- The prefix of the learner's partition.
local function prefix_of(name)
  return prefixes[tonumber(xxhash.XXH64(name, #name, 0) % #prefixes) + 1]
end

-- Seconds [from, to) of half a minute as a word; both may lie outside of it.
local function half_mask(from, to)
  return 2 ^ max(0, min(to, 30)) - 2 ^ max(0, min(from, 30))
end

local function put_header(now_ms, prefix, n_buckets, n_minutes)
  local at = put_u32(buffer, 0, floor((now_ms / 1000 - HORIZON_S) / 60))
  at = put_u32(buffer, at, 0xffffffff) -- whatever the floor is, it is believed
  at = put_u8(buffer, at, 1) -- the clock is settled, and no WAIT follows
  at = put_u16(buffer, at, #prefix + 2)
  at = put_u16(buffer, at, n_buckets)
  at = put_u16(buffer, at, n_minutes)
  for _ = 1, 4 do at = put_u16(buffer, at, 1) end -- learner, lesson, pair of them, run
  for _ = 1, n_buckets do at = put_u16(buffer, at, 1) end -- learner in each
  return at
end

local function put_minutes(at, first_minute, last_minute, first_bucket)
  for minute = first_minute, last_minute do
    at = put_u32(buffer, at, minute)
    at = put_u16(buffer, at, minute % 10)
    at = put_u16(buffer, at, floor(minute / 10) - first_bucket + 1)
  end
  return at
end

local function put_run(at, claimed, first_minute, n_minutes)
  for _ = 1, 3 do at = put_u16(buffer, at, 1) end -- learner, lesson, pair
  at = put_u32(buffer, at, claimed.media_from_ms)
  at = put_u32(buffer, at, claimed.media_to_ms)
  at = put_i32(buffer, at, claimed.start_ms - first_minute * 60000)
  at = put_u32(buffer, at, claimed.length_ms)
  return put_u8(buffer, at, n_minutes)
end

local function put_piece(at, index, minute, claimed)
  local from = max(0, claimed.first_second - minute * 60)
  local to = min(60, claimed.end_second - minute * 60)
  at = put_u16(buffer, at, index)
  at = put_u32(buffer, at, half_mask(from, to))
  at = put_u32(buffer, at, half_mask(from - 30, to - 30))
  return put_u8(buffer, at, to - from)
end

local function keys_of(prefix, name, first_minute, last_minute, first_bucket, last_bucket)
  local keys = {prefix .. 'floor', prefix .. 'due', prefix .. 'ld', prefix .. 'epoch'}
  local n = 4
  for bucket = first_bucket, last_bucket do
    n = n + 1
    keys[n] = prefix .. 'w:' .. bucket
  end
  for minute = first_minute, last_minute do
    keys[n + 1] = prefix .. 'd:' .. minute
    keys[n + 2] = prefix .. 'l:' .. minute
    n = n + 2
  end
  keys[n + 1] = prefix .. 't:' .. name
  return keys, n + 1
end

-- What is said as text behind the packed run: each minute and when it is due, the lesson's head and the course.
local function put_texts(arguments, n, session, course, first_minute, last_minute)
  for minute = first_minute, last_minute do
    arguments[n + 1], arguments[n + 2] = minute, (minute + 1) * 60 + GRACE_S
    n = n + 2
  end
  arguments[n + 1] = char(FORMAT, #session.lesson) .. session.lesson
  arguments[n + 2] = course
end

-- The arguments of FCALL behind the function's name: how many keys there are, then keys, the packed run and texts.
function apply.encode(session, course, claimed, now_ms)
  local name = session.portal .. '/' .. session.learner
  local prefix = prefix_of(name)
  local first_minute, last_minute = floor(claimed.first_second / 60), floor((claimed.end_second - 1) / 60)
  local first_bucket, last_bucket = floor(first_minute / 10), floor(last_minute / 10)
  local n_minutes = last_minute - first_minute + 1
  local at = put_header(now_ms, prefix, last_bucket - first_bucket + 1, n_minutes)
  at = put_minutes(at, first_minute, last_minute, first_bucket)
  at = put_run(at, claimed, first_minute, n_minutes)
  for minute = first_minute, last_minute do at = put_piece(at, minute - first_minute + 1, minute, claimed) end
  local arguments, n_keys = keys_of(prefix, name, first_minute, last_minute, first_bucket, last_bucket)
  arguments[n_keys + 1] = bytes.to_string(buffer, at)
  put_texts(arguments, n_keys + 1, session, course, first_minute, last_minute)
  return n_keys, arguments
end

-- Credited, duplicate, contested and late seconds of the claimed ones.
function apply.decode(answer, claimed)
  local seconds = claimed.end_second - claimed.first_second
  if byte(answer) == 1 then return seconds, 0, 0, 0 end
  local _, a, b, c, d, e, f = byte(answer, 1, 7)
  local credited, contested, late = a + b * 256, c + d * 256, e + f * 256
  return credited, seconds - credited - contested - late, contested, late
end

return apply
