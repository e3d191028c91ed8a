#!lua name=minuted_1

-- What minuted does inside Redis. A change of a stored form or of a function's arguments is a new version:
-- the library's name and every function's prefix, and STORE_LIBRARY in store/layout.h.
--
-- Stored forms (little-endian; every value begins with a format byte, 1):
--   w:<bucket>  learner -> 1, then for each lesson: length, id, ten masks of 8 bytes (one a minute)
--   t:<learner> lesson  -> 1, watched seconds u32, last minute u32, length, course id,
--                          then merged media intervals [from, to) in ms, u32 each, sorted and disjoint
--   l:<minute>  lesson  -> 1, seconds u32, learners u32, course id
-- A mask is two words of 30 bits, low first, so that bit operations (signed, 32 bits) never see a sign.
--
-- Every function reads and computes first and writes last, dirty marks before masks: an error half-way
-- (a key of a wrong type) leaves nothing credited that nobody will publish.

local FORMAT = '\1'
local MASKS = 80          -- bytes of a lesson's ten masks
local INTERVALS_MAX = 500 -- media intervals of one learner and lesson; a further one is not covered
local MEDIA_MAX = 4294967295 -- ms; what an interval's ends can hold
local JOIN = 5            -- ms between two intervals that players' rounding accounts for

-- Redis 7.0 has no `string`, `struct` and `bit` while a library loads: they are fetched at the first call.
local byte, sub, rep, floor, concat, band, bor, bnot, pack, unpack_struct
local popcount = {[0] = 0}
local function fetch_libraries()
  if byte then return end
  sub, rep, floor, concat = string.sub, string.rep, math.floor, table.concat
  band, bor, bnot = bit.band, bit.bor, bit.bnot
  pack, unpack_struct = struct.pack, struct.unpack
  for i = 1, 1023 do popcount[i] = popcount[floor(i / 2)] + i % 2 end
  byte = string.byte
end

local function count30(word)
  return popcount[band(word, 1023)] + popcount[band(floor(word / 1024), 1023)] + popcount[floor(word / 1048576)]
end

-- Position of LESSON's masks in a w value (nil when it has none), and the other lessons' masks of SLOT, ORed.
local function find_masks(value, lesson, slot)
  local at, others_lo, others_hi = nil, 0, 0
  local pos, size = 2, #value
  while pos < size do
    local length = byte(value, pos)
    local masks = pos + 1 + length
    if at == nil and length == #lesson and sub(value, pos + 1, masks - 1) == lesson then
      at = masks
    else
      local lo, hi = unpack_struct('<I4I4', value, masks + slot * 8)
      others_lo, others_hi = bor(others_lo, lo), bor(others_hi, hi)
    end
    pos = masks + MASKS
  end
  return at, others_lo, others_hi
end

-- The intervals with [from, to) merged in; what lies within JOIN of another is joined with it.
local function merge_interval(intervals, from, to)
  if to <= from then return intervals end
  local size = #intervals
  if size == 0 then return pack('<I4I4', from, to) end
  local last_from, last_to = unpack_struct('<I4I4', intervals, size - 7)
  if from > last_to + JOIN and size < INTERVALS_MAX * 8 then return intervals .. pack('<I4I4', from, to) end
  if from >= last_from then
    if from > last_to + JOIN or to <= last_to then return intervals end
    return sub(intervals, 1, size - 8) .. pack('<I4I4', last_from, to)
  end
  local head, pos = 0, 1 -- bytes that stay before, first byte that stays behind
  while pos < size do
    local a, b = unpack_struct('<I4I4', intervals, pos)
    if a > to + JOIN then break end
    if b + JOIN < from then
      head = pos + 7
    else
      from, to = a < from and a or from, b > to and b or to
    end
    pos = pos + 8
  end
  local merged = sub(intervals, 1, head) .. pack('<I4I4', from, to) .. sub(intervals, pos)
  return #merged <= INTERVALS_MAX * 8 and merged or intervals
end

local function covered_seconds(intervals)
  local sum = 0
  for pos = 1, #intervals, 8 do
    local from, to = unpack_struct('<I4I4', intervals, pos)
    sum = sum + floor(to / 1000) - floor(from / 1000)
  end
  return sum
end

-- watched, last minute, course, intervals of a t value.
local function read_total(value)
  local watched, last, course, pos = unpack_struct('<I4I4Bc0', value, 2)
  return watched, last, course, sub(value, pos)
end

-- Adds the media of Unix seconds [first, stop): their image on the run's line from time to media. A second's image
-- is a second long at the run's speed, whichever run it came with, so coverage never grows faster than time; and
-- the images of seconds that follow each other meet.
local function cover(run, intervals, first, stop)
  local speed = (run.media_to - run.media_from) / run.length
  local from = run.media_from + floor((first * 1000 - run.start) * speed + 0.5)
  local to = run.media_from + floor((stop * 1000 - run.start) * speed + 0.5)
  return merge_interval(intervals, from, to < MEDIA_MAX and to or MEDIA_MAX)
end

-- Adds the media of the credited seconds where they are not all of the run's.
local function cover_parts(run, intervals)
  local first, stop -- the stretch being gathered
  for _, piece in ipairs(run.credited) do
    for i = 0, 59 do
      local word = i < 30 and piece.lo or piece.hi
      if band(floor(word / 2 ^ (i % 30)), 1) == 1 then
        local second = piece.second + i
        if first and second ~= stop then
          intervals = cover(run, intervals, first, stop)
          first = nil
        end
        first, stop = first or second, second + 1
      end
    end
  end
  return first and cover(run, intervals, first, stop) or intervals
end

-- Everything an apply knows: its arguments and what it read, changed in memory until write() puts it back.
local function open_batch(keys, args)
  local packed = args[1]
  local batch = {keys = keys, buckets = {}, minutes = {}, totals = {}}
  local horizon, grace, prefix, n_buckets, n_minutes, n_learners, n_runs, pos =
    unpack_struct('<I4I4I2I2I2I2I2', packed, 1)
  batch.grace, batch.n_runs = grace, n_runs
  batch.first_minute = horizon
  local stored = redis.call('GET', keys[1])
  if stored then
    batch.first_minute = math.max(horizon, tonumber(stored))
  else
    batch.new_floor = horizon - horizon % 10
  end
  for i = 1, n_buckets do batch.buckets[i] = {key = keys[3 + i], fields = {}, values = {}, changed = {}} end
  for i = 1, n_minutes do
    local minute, bucket
    minute, bucket, pos = unpack_struct('<I4I2', packed, pos)
    batch.minutes[i] = {
      minute = minute, slot = minute % 10, bucket = batch.buckets[bucket + 1],
      dirty_key = keys[3 + n_buckets + 2 * i - 1], sums_key = keys[3 + n_buckets + 2 * i],
      dirty = {}, sums = {}, lessons = {},
    }
  end
  local first_total = 3 + n_buckets + 2 * n_minutes
  batch.learners = {}
  for i = 1, n_learners do
    local key = keys[first_total + i]
    batch.learners[i] = {key = key, name = sub(key, prefix + 1), totals = {}}
  end
  return batch, packed, pos
end

local function read_runs(batch, packed, pos)
  local runs = {}
  for i = 1, batch.n_runs do
    local run, learner, n_pieces, offset = {pieces = {}, credited = {}}, nil, nil, nil
    learner, run.lesson, run.course, run.media_from, run.media_to, offset, run.length, n_pieces, pos =
      unpack_struct('<I2Bc0Bc0I4I4i4I4B', packed, pos)
    run.learner = batch.learners[learner + 1]
    for k = 1, n_pieces do
      local minute, lo, hi, count
      minute, lo, hi, count, pos = unpack_struct('<I2I4I4B', packed, pos)
      minute = batch.minutes[minute + 1]
      run.pieces[k] = {minute = minute, lo = lo, hi = hi, count = count, second = minute.minute * 60}
      local bucket, name = minute.bucket, run.learner.name
      if bucket.values[name] == nil then
        bucket.values[name] = FORMAT
        bucket.fields[#bucket.fields + 1] = name
      end
    end
    run.start = run.pieces[1].second * 1000 + offset
    runs[i] = run
  end
  return runs
end

local function read_masks(batch)
  for _, bucket in ipairs(batch.buckets) do
    local values = redis.call('HMGET', bucket.key, unpack(bucket.fields))
    for i, name in ipairs(bucket.fields) do
      if values[i] then bucket.values[name] = values[i] end
    end
  end
end

local function total_of(learner, run)
  local total = learner.totals[run.lesson]
  if total == nil then
    local value = redis.call('HGET', learner.key, run.lesson)
    total = {watched = 0, last = 0, intervals = ''}
    if value then total.watched, total.last, total.course, total.intervals = read_total(value) end
    learner.totals[run.lesson] = total
  end
  return total
end

-- Credits a run's part of one minute in memory; returns credited and contested seconds.
local function credit_piece(run, piece)
  local minute, name, lesson = piece.minute, run.learner.name, run.lesson
  local bucket = minute.bucket
  local value = bucket.values[name]
  local at, others_lo, others_hi = find_masks(value, lesson, minute.slot)
  local own_lo, own_hi = 0, 0
  if at then own_lo, own_hi = unpack_struct('<I4I4', value, at + minute.slot * 8) end
  local free_lo, free_hi = band(piece.lo, bnot(own_lo)), band(piece.hi, bnot(own_hi))
  local new_lo, new_hi = band(free_lo, bnot(others_lo)), band(free_hi, bnot(others_hi))
  local whole = new_lo == piece.lo and new_hi == piece.hi
  local credited = whole and piece.count or count30(new_lo) + count30(new_hi)
  local contested = whole and 0 or count30(band(free_lo, others_lo)) + count30(band(free_hi, others_hi))
  if credited == 0 then return 0, contested end

  if not at then
    value = value .. pack('<Bc0', #lesson, lesson) .. rep('\0', MASKS)
    at = #value - MASKS + 1
  end
  local masks = at + minute.slot * 8
  bucket.values[name] = sub(value, 1, masks - 1) .. pack('<I4I4', bor(own_lo, new_lo), bor(own_hi, new_hi)) ..
    sub(value, masks + 8)
  bucket.changed[name] = true
  minute.dirty[name] = true
  local sum = minute.sums[lesson]
  if not sum then
    sum = {seconds = 0, learners = 0, course = run.course}
    minute.sums[lesson] = sum
    minute.lessons[#minute.lessons + 1] = lesson
  end
  sum.seconds = sum.seconds + credited
  if own_lo == 0 and own_hi == 0 then sum.learners = sum.learners + 1 end
  run.credited[#run.credited + 1] = {lo = new_lo, hi = new_hi, second = piece.second}
  return credited, contested
end

-- Credits a run in memory; returns its answer: one byte when every second was credited, else seven.
local function credit_run(batch, run)
  local claimed, credited, contested, late, last = 0, 0, 0, 0, 0
  for _, piece in ipairs(run.pieces) do
    claimed = claimed + piece.count
    if piece.minute.minute < batch.first_minute then
      late = late + piece.count
    else
      local new, others = credit_piece(run, piece)
      credited, contested = credited + new, contested + others
      if new > 0 then last = piece.minute.minute end
    end
  end
  if credited > 0 then
    local total = total_of(run.learner, run)
    total.watched = total.watched + credited
    total.last = math.max(total.last, last)
    total.course = run.course
    if credited == claimed then
      local first = floor((run.start + 999) / 1000)
      total.intervals = cover(run, total.intervals, first, first + claimed)
    else
      total.intervals = cover_parts(run, total.intervals)
    end
  end
  if credited == claimed then return '\1' end
  return '\0' .. pack('<I2I2I2', credited, contested, late)
end

local function read_sums(minute)
  if #minute.lessons == 0 then return end
  local values = redis.call('HMGET', minute.sums_key, unpack(minute.lessons))
  for i, lesson in ipairs(minute.lessons) do
    if values[i] then
      local seconds, learners = unpack_struct('<I4I4', values[i], 2)
      local sum = minute.sums[lesson]
      sum.seconds, sum.learners = sum.seconds + seconds, sum.learners + learners
    end
  end
end

local function write_dirty(batch, minute)
  local names = {}
  for name in pairs(minute.dirty) do names[#names + 1] = name end
  if #names == 0 then return end
  -- due first, whether it seems needed or not: who is dirty in a minute that is never due would not be published
  redis.call('ZADD', batch.keys[2], 'NX', (minute.minute + 1) * 60 + batch.grace, minute.minute)
  redis.call('SADD', minute.dirty_key, unpack(names))
  redis.call('SADD', batch.keys[3], minute.minute)
end

local function write_masks(bucket)
  local pairs_ = {}
  for name in pairs(bucket.changed) do
    pairs_[#pairs_ + 1] = name
    pairs_[#pairs_ + 1] = bucket.values[name]
  end
  if #pairs_ > 0 then redis.call('HSET', bucket.key, unpack(pairs_)) end
end

local function write_totals(learner)
  for lesson, total in pairs(learner.totals) do
    redis.call('HSET', learner.key, lesson,
      FORMAT .. pack('<I4I4Bc0', total.watched, total.last, #total.course, total.course) .. total.intervals)
  end
end

local function write_sums(minute)
  local pairs_ = {}
  for lesson, sum in pairs(minute.sums) do
    pairs_[#pairs_ + 1] = lesson
    pairs_[#pairs_ + 1] = FORMAT .. pack('<I4I4', sum.seconds, sum.learners) .. sum.course
  end
  if #pairs_ > 0 then redis.call('HSET', minute.sums_key, unpack(pairs_)) end
end

-- A batch of runs of one partition.
-- KEYS floor, due, ld, then w of each bucket, then d and l of each minute, then t of each learner
-- ARGV one packed argument; store/layout.c writes it
-- -> one answer a run, joined; layout.c reads it
local function apply(keys, args)
  fetch_libraries()
  local batch, packed, pos = open_batch(keys, args)
  local runs = read_runs(batch, packed, pos)
  read_masks(batch)
  local answers = {}
  for i, run in ipairs(runs) do answers[i] = credit_run(batch, run) end
  for _, minute in ipairs(batch.minutes) do read_sums(minute) end

  if batch.new_floor then redis.call('SET', keys[1], batch.new_floor) end
  for _, minute in ipairs(batch.minutes) do write_dirty(batch, minute) end
  for _, bucket in ipairs(batch.buckets) do write_masks(bucket) end
  for _, learner in ipairs(batch.learners) do write_totals(learner) end
  for _, minute in ipairs(batch.minutes) do write_sums(minute) end
  return concat(answers)
end

-- Does nothing, and is refused whenever `apply` would be: over maxmemory, without replicas, when the disk fails.
local function probe()
  return redis.status_reply('OK')
end

-- What is published of a learner in one minute: for each lesson with a mask: length, id, lo, hi, watched, covered, last
-- minute, length, course.
local function records_of(value, slot, total_key)
  local records = {}
  local at, size = 2, #value
  while at < size do
    local lesson, masks = unpack_struct('<Bc0', value, at)
    local lo, hi = unpack_struct('<I4I4', value, masks + slot * 8)
    if lo ~= 0 or hi ~= 0 then
      local total = redis.call('HGET', total_key, lesson)
      if not total then error('there are masks of a lesson that has no total', 0) end
      local watched, last, course, intervals = read_total(total)
      records[#records + 1] = pack('<Bc0I4I4I4I4I4Bc0', #lesson, lesson, lo, hi, watched,
        covered_seconds(intervals), last, #course, course)
    end
    at = masks + MASKS
  end
  return concat(records)
end

-- The masks of dirty learners in one minute, with their totals.
-- KEYS w of the minute's bucket, then t of each learner
-- ARGV slot (minute % 10), length of a t key's prefix
-- -> for each learner the records, or the error of one who cannot be read: the others do not wait for them
local function take(keys, args)
  fetch_libraries()
  local slot, prefix = tonumber(args[1]), tonumber(args[2])
  local names, answers = {}, {}
  for i = 2, #keys do names[i - 1] = sub(keys[i], prefix + 1) end
  local values = redis.call('HMGET', keys[1], unpack(names))
  for i = 1, #names do
    local good, answer = pcall(records_of, values[i] or FORMAT, slot, keys[i + 1])
    answers[i] = good and answer or {err = tostring(answer)}
  end
  return answers
end

-- Whether no mask of SLOT in VALUE has a bit that PUBLISHED (length, id, lo, hi, …) lacks.
local function all_published(value, slot, published)
  local masks = {}
  local at = 1
  while at < #published do
    local lesson, lo, hi
    lesson, lo, hi, at = unpack_struct('<Bc0I4I4', published, at)
    masks[lesson] = {lo, hi}
  end
  at = 2
  while at < #value do
    local lesson, base = unpack_struct('<Bc0', value, at)
    local lo, hi = unpack_struct('<I4I4', value, base + slot * 8)
    local known = masks[lesson]
    if band(lo, bnot(known and known[1] or 0)) ~= 0 or band(hi, bnot(known and known[2] or 0)) ~= 0 then
      return false
    end
    at = base + MASKS
  end
  return true
end

-- A learner leaves the dirty set only if no mask exceeds the published one; a minute leaves `due` only when its set is empty.
-- KEYS due, d, w   ARGV minute, then learner and published masks in turn
-- -> how many learners left
local function settle(keys, args)
  fetch_libraries()
  local minute = tonumber(args[1])
  local names, settled = {}, {}
  for i = 2, #args, 2 do names[#names + 1] = args[i] end
  if #names > 0 then
    local values = redis.call('HMGET', keys[3], unpack(names))
    for i, name in ipairs(names) do
      if all_published(values[i] or FORMAT, minute % 10, args[2 * i + 1]) then settled[#settled + 1] = name end
    end
  end
  local left = #settled > 0 and redis.call('SREM', keys[2], unpack(settled)) or 0
  if redis.call('EXISTS', keys[2]) == 0 then redis.call('ZREM', keys[1], args[1]) end
  return left
end

-- A minute leaves `ld` only if its sums are those that were published.
-- KEYS ld, l   ARGV minute, published seconds of this partition
local function settle_sums(keys, args)
  fetch_libraries()
  local seconds = 0
  for _, value in ipairs(redis.call('HVALS', keys[2])) do seconds = seconds + unpack_struct('<I4', value, 2) end
  if seconds > tonumber(args[2]) then return 0 end
  return redis.call('SREM', keys[1], args[1])
end

-- Makes the minutes of a bucket due that still have somebody dirty: or they would never be published and the bucket never
-- retired, should `due` have been lost. Returns whether there are any.
local function make_dirty_due(keys, first_minute, grace)
  local any = false
  for i = 0, 9 do
    if redis.call('EXISTS', keys[4 + i]) == 1 then
      any = true
      redis.call('ZADD', keys[2], 'NX', (first_minute + i + 1) * 60 + grace, first_minute + i)
    end
  end
  return any
end

-- Raises the floor past one bucket and unlinks it, if it is the oldest and nothing in it is dirty. The lesson sums of the
-- bucket before it go too: by then every partition refuses claims on them, so that a sum, once published, never falls.
-- KEYS floor, due, w, then ten d, then ten l of the bucket before   ARGV bucket, grace
-- -> the floor
local function retire(keys, args)
  local bucket = tonumber(args[1])
  local stored = redis.call('GET', keys[1])
  if stored and tonumber(stored) ~= bucket * 10 then return tonumber(stored) end
  if make_dirty_due(keys, bucket * 10, tonumber(args[2])) then return bucket * 10 end
  redis.call('UNLINK', keys[3], unpack(keys, 14))
  redis.call('SET', keys[1], (bucket + 1) * 10)
  return (bucket + 1) * 10
end

-- KEYS minuted:publisher   ARGV holder, milliseconds (0 gives it up)
-- -> who holds the lease afterwards, '' for nobody
local function lease(keys, args)
  local holder = redis.call('GET', keys[1])
  if holder and holder ~= args[1] then return holder end
  if tonumber(args[2]) == 0 then
    redis.call('DEL', keys[1])
    return ''
  end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return args[1]
end

-- KEYS minuted:watermarks   ARGV published_through, final_through
-- -> the greatest of the given and the stored ones
local function watermark(keys, args)
  local stored = redis.call('HMGET', keys[1], 'published_through', 'final_through')
  local published = math.max(tonumber(stored[1] or 0), tonumber(args[1]))
  local final = math.max(tonumber(stored[2] or 0), tonumber(args[2]))
  redis.call('HSET', keys[1], 'published_through', published, 'final_through', final)
  return {published, final}
end

local function register(name, callback, flags)
  redis.register_function{function_name = 'minuted_1_' .. name, callback = callback, flags = flags}
end

register('apply', apply, {})
register('probe', probe, {})
register('take', take, {'no-writes'})
register('settle', settle, {'allow-oom'})
register('settle_sums', settle_sums, {'allow-oom'})
register('retire', retire, {'allow-oom'})
register('lease', lease, {'allow-oom'})
register('watermark', watermark, {'allow-oom'})
