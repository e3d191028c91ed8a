#!lua name=@LIBRARY@

-- What minuted does inside Redis. The build puts a hash of this file in where the library's name stands (library.cmake),
-- which is also every function's prefix: builds that differ in a letter use libraries of their own, side by side. A
-- change of a stored form must be legible to the builds that run beside it.
--
-- Stored forms (little-endian; every value begins with a format byte, 1):
--   w:<bucket>  learner -> 1, then for each lesson: length, id, ten masks of 8 bytes (one a minute)
--   t:<learner> lesson  -> 1, watched seconds u32, last minute u32, length, course id,
--                          then merged media intervals [from, to) in ms, u32 each, sorted and disjoint
--   l:<minute>  lesson  -> 1, seconds u32, learners u32, seconds that are published u32, course id
-- A mask is two words of 30 bits, low first, so that bit operations (signed, 32 bits) never see a sign.
--
-- A value of another format byte is of a build that may run beside this one, and a value may be spoiled. `apply` answers
-- UNREADABLE for the runs of a learner whose masks or total it cannot read, and credits everybody else in the call. A
-- lesson's sum that cannot be read is left as it is, by `apply` and by `settle_sums`. Every other function that meets a value
-- of another format fails, with an error that begins with FORMAT and names the key, and has written nothing by then.
--
-- An error half-way (a key of a wrong type) does not undo what a function has written. So `apply` reads and computes first
-- and writes last, dirty marks before masks: whatever it stops at, nothing is credited that nobody will publish. `watermark`
-- makes one write, as the last thing it does; `lease` writes the lease last, and an offer before is right by itself; `take`
-- writes into one hash only. `settle_sums` takes a minute
-- from a list as the last thing it does; until then all that it has written is right by itself. Two functions read again
-- after a write:
--   `settle` asks whether the dirty set is empty once its learners have left it, and what is committed. If it stops there,
--     the minute stays due; the next take finds the set without the learners who left it, whose masks were published, and
--     settles once more.
--   `retire` makes one dirty minute after the other due, each of which is right without the others, and then does nothing
--     else. Where nothing is dirty, it writes only what no type of a key can refuse, or what it has read before.
--
-- The barrier: before the daemon answers players, or produces to Kafka what it has taken, it waits (WAIT) until enough
-- replicas have what the answer rests on, which other connections may have written. From Redis 7.2 on, and in Valkey,
-- WAIT covers what its own connection wrote last and all that was written before that, by whomever; it covers nothing
-- when the connection wrote nothing, and a command that changed nothing is no write. So the connection writes something
-- itself after it has read: `apply` counts in `epoch` where it credits nothing, and `take` comes behind whatever the
-- publisher reads. With `appendfsync always` no such write is needed: Redis sends no answer, to a reader neither,
-- before all that was written until then is on disk; so `apply` is told whether WAIT follows it.

local FORMAT, FORMAT_BYTE = '\1', 1
local MASKS = 80          -- bytes of a lesson's ten masks
local PIECE = 11          -- bytes of a run's seconds in one minute, in the argument of `apply`
local NOTHING = '\0\0\0\0\0\0\0\0' -- a mask
local INTERVALS_MAX = 500 -- media intervals of one learner and lesson; a further one is not covered
local MEDIA_MAX = 4294967295 -- ms; what an interval's ends can hold
local SUM = 13            -- bytes of an l value before its course
local SUMS_KEPT = 4096    -- entries of the working memory that outlive a call
local PORTION = 1000      -- of what Lua can unpack at once
local JOIN = 5            -- ms between two intervals that players' rounding accounts for
local SETTLED, WAITS = 1, 2 -- flags in the argument of `apply`
local OFFER_MS = 5000     -- how long what a daemon says of itself counts, to whoever holds the lease
local CLOSED = 4294967295 -- a floor that no minute reaches
local COUNTS, WHOLE, UNREADABLE = '\0', '\1', '\2' -- how the answer to a run begins

-- Redis 7.0 has no `string`, `struct` and `bit` while a library loads: they are fetched at the first call.
local byte, sub, rep, floor, concat, band, bor, bnot, pack, unpack_struct
local popcount = {[0] = 0}
local ZEROS = {[0] = ''} -- masks of so many minutes with no second
local function fetch_libraries()
  if byte then return end
  sub, rep, floor, concat = string.sub, string.rep, math.floor, table.concat
  band, bor, bnot = bit.band, bit.bor, bit.bnot
  pack, unpack_struct = struct.pack, struct.unpack
  for i = 1, 10 do ZEROS[i] = rep('\0', 8 * i) end
  for i = 1, 1023 do popcount[i] = popcount[floor(i / 2)] + i % 2 end
  byte = string.byte
end

-- Fails because a value of KEY, of FIELD where it is a hash's, begins with the byte FOUND.
local function refuse_format(found, key, field)
  error(redis.error_reply('FORMAT ' .. key .. (field and ' has for ' .. field or ' has') .. ' a value of format ' ..
    tostring(found) .. ', and this library reads format ' .. FORMAT_BYTE))
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

-- The t value VALUE (false: none yet) with SECONDS more, up to minute LAST, and their media [from, to).
local function add_to_total(value, seconds, last, course, from, to)
  if not value then
    return FORMAT .. pack('<I4I4Bc0', seconds, last, #course, course) .. merge_interval('', from, to)
  end
  local watched, last_known, course_length = unpack_struct('<I4I4B', value, 2)
  local size, tail = #value, 11 + course_length
  watched, last = watched + seconds, last > last_known and last or last_known
  if size > tail and sub(value, 11, tail - 1) == course then
    local last_from, last_to = unpack_struct('<I4I4', value, size - 7)
    if from >= last_from and from <= last_to + JOIN and to >= last_to and to > from then -- it goes on
      return FORMAT .. pack('<I4I4', watched, last) .. sub(value, 10, size - 4) .. pack('<I4', to)
    end
  end
  return FORMAT .. pack('<I4I4Bc0', watched, last, #course, course) .. merge_interval(sub(value, tail), from, to)
end

-- The media of Unix seconds [first, stop): their image on the run's line from time to media. A second's image is a
-- second long at the run's speed, whichever run it came with, so coverage never grows faster than time; and the images
-- of seconds that follow each other meet.
local function image(media_from, media_to, start, length, first, stop)
  local speed = (media_to - media_from) / length
  local from = media_from + floor((first * 1000 - start) * speed + 0.5)
  local to = media_from + floor((stop * 1000 - start) * speed + 0.5)
  return from, to < MEDIA_MAX and to or MEDIA_MAX
end

-- Calls VISIT with each stretch [first, stop) of the seconds that PIECES (second, lo, hi in turn) hold.
local function each_stretch(pieces, visit)
  local first, stop
  for k = 1, #pieces, 3 do
    for i = 0, 59 do
      local word = i < 30 and pieces[k + 1] or pieces[k + 2]
      if band(floor(word / 2 ^ (i % 30)), 1) == 1 then
        local second = pieces[k] + i
        if second ~= stop then
          if first then visit(first, stop) end
          first = second
        end
        stop = second + 1
      end
    end
  end
  if first then visit(first, stop) end
end

-- What an `apply` works on: its arguments and what it read, changed in memory until all is written at the end. Kept between
-- calls, since in this Lua a new table costs as much as a command: open_batch() clears what the last call left, also
-- where that call failed. Learners, lessons, pairs of both, minutes and buckets are numbered from 1, as the daemon lists them.
local packed, position                      -- the argument, and where the next run begins
local first_minute                          -- that can be claimed
local n_learners, n_lessons, n_pairs, n_minutes, n_buckets, n_runs
local names, total_keys = {}, {}            -- of learners
local heads, lessons, courses = {}, {}, {}  -- of lessons; a head is how a w value of this lesson alone begins
local pair_learner, pair_lesson = {}, {}
local totals = {}                           -- of pairs: t values to be written
local bucket_keys, found, now = {}, {}, {}  -- of buckets: the learners' w values as they were, and as they are to be
local minutes, slots, minute_bucket, dirty_keys, sums_keys = {}, {}, {}, {}, {}
local minute_texts, due_texts = {}, {}      -- of minutes, as commands take them: numbers cost a conversion
local dirty, n_dirty = {}, {}               -- of minutes: names
local seconds, firsts = {}, {}              -- of minutes and lessons: credited seconds, learners new to it
local changes, answers = {}, {}
local careful                               -- whether values are looked at before a run is credited

local function read_buckets(keys)
  for b = 1, n_buckets do
    local n
    n, position = unpack_struct('<I2', packed, position)
    bucket_keys[b] = keys[4 + b]
    if now[b] then
      for i = 1, n_learners do now[b][i] = nil end
    else
      now[b] = {}
    end
    if n == n_learners then
      found[b] = redis.call('HMGET', keys[4 + b], unpack(names, 1, n))
    else
      local members, fields, values = {}, {}, {}
      for k = 1, n do
        members[k], position = unpack_struct('<I2', packed, position)
        fields[k] = names[members[k]]
      end
      local answer = redis.call('HMGET', keys[4 + b], unpack(fields))
      for k = 1, n do values[members[k]] = answer[k] end
      found[b] = values
    end
  end
end

local function read_minutes(keys, args)
  if #seconds > SUMS_KEPT then seconds, firsts = {}, {} end -- else the collector would walk through them at every call
  for m = 1, n_minutes do
    minutes[m], slots[m], minute_bucket[m], position = unpack_struct('<I4I2I2', packed, position)
    local at = 4 + n_buckets + 2 * m
    dirty_keys[m], sums_keys[m] = keys[at - 1], keys[at]
    minute_texts[m], due_texts[m] = args[2 * m], args[2 * m + 1]
    n_dirty[m], dirty[m] = 0, dirty[m] or {}
    for k = (m - 1) * n_lessons + 1, m * n_lessons do seconds[k], firsts[k] = 0, 0 end
  end
end

-- Takes the arguments apart and reads all masks. Returns the floor and whether WAIT follows.
-- The first minute that can be claimed is the floor. Without a floor, or while the daemon's clock is settled, the daemon's
-- horizon counts too: a clock that is not settled may be ahead, and refuses nothing for good. A floor beyond LIMIT was
-- raised by a clock that was wrong, or is told so by one: nothing is judged by it.
local function open_batch(keys, args)
  local horizon, limit, prefix, flags
  packed = args[1]
  horizon, limit, flags, prefix, n_buckets, n_minutes, n_learners, n_lessons, n_pairs, n_runs, position =
    unpack_struct('<I4I4BI2I2I2I2I2I2I2', packed, 1)
  local stored = redis.call('GET', keys[1])
  first_minute = not stored and horizon or tonumber(stored)
  if stored and not (first_minute and first_minute <= limit) then
    error(redis.error_reply('FLOOR ' .. keys[1] .. ' is ' .. stored .. ', and can be no more than ' .. limit))
  end
  if band(flags, SETTLED) > 0 and horizon > first_minute then first_minute = horizon end
  local before = 4 + n_buckets + 2 * n_minutes
  for i = 1, n_learners do
    local key = keys[before + i]
    total_keys[i], names[i] = key, sub(key, prefix + 1)
  end
  read_buckets(keys)
  read_minutes(keys, args)
  for i = 1, n_lessons do
    local at = 2 * n_minutes + 2 * i
    heads[i], lessons[i], courses[i] = args[at], sub(args[at], 3), args[at + 1]
  end
  for i = 1, n_pairs do totals[i] = nil end
  return stored, band(flags, WAITS) > 0
end

-- Credits [lo, hi] of a minute in VALUE, which may hold other lessons or some of these seconds already.
-- -> the value, credited and contested seconds, whether the lesson had none of this minute, and the credited words
local function credit_into(value, bucket, learner, lesson, slot, lo, hi)
  if byte(value, 1) ~= FORMAT_BYTE then refuse_format(byte(value, 1), bucket_keys[bucket], names[learner]) end
  local at, others_lo, others_hi = find_masks(value, lessons[lesson], slot)
  local own_lo, own_hi = 0, 0
  if at then own_lo, own_hi = unpack_struct('<I4I4', value, at + slot * 8) end
  local free_lo, free_hi = band(lo, bnot(own_lo)), band(hi, bnot(own_hi))
  local new_lo, new_hi = band(free_lo, bnot(others_lo)), band(free_hi, bnot(others_hi))
  local credited = count30(new_lo) + count30(new_hi)
  local contested = count30(band(free_lo, others_lo)) + count30(band(free_hi, others_hi))
  if credited == 0 then return value, 0, contested, false, 0, 0 end
  if not at then
    value = value .. sub(heads[lesson], 2) .. ZEROS[10]
    at = #value - MASKS + 1
  end
  local masks = at + slot * 8
  value = sub(value, 1, masks - 1) .. pack('<I4I4', bor(own_lo, new_lo), bor(own_hi, new_hi)) .. sub(value, masks + 8)
  return value, credited, contested, own_lo == 0 and own_hi == 0, new_lo, new_hi
end

-- The same for COUNT seconds, with short ways for the two cases that nearly all are: the learner's first seconds in the
-- bucket, and further ones of its only lesson there; a value that begins with the head of a lesson has our format.
local function credit(value, bucket, learner, lesson, slot, lo, hi, count)
  local head = heads[lesson]
  if not value then
    return head .. ZEROS[slot] .. pack('<I4I4', lo, hi) .. ZEROS[9 - slot], count, 0, true, lo, hi
  end
  local size = #head
  if #value == size + MASKS and sub(value, 1, size) == head then
    local at = size + slot * 8
    local own_lo, own_hi = unpack_struct('<I4I4', value, at + 1)
    if band(own_lo, lo) == 0 and band(own_hi, hi) == 0 then
      return sub(value, 1, at) .. pack('<I4I4', own_lo + lo, own_hi + hi) .. sub(value, at + 9), count, 0,
        own_lo == 0 and own_hi == 0, lo, hi
    end
  end
  return credit_into(value, bucket, learner, lesson, slot, lo, hi)
end

-- Credits in memory one piece of a run: the COUNT seconds of a minute that the bits of lo and hi are.
-- -> credited, contested and late seconds, and the credited words
local function credit_piece(learner, lesson, minute, lo, hi, count)
  if minutes[minute] < first_minute then return 0, 0, count, 0, 0 end
  local bucket = minute_bucket[minute]
  local value, credited, contested, first, new_lo, new_hi =
    credit(now[bucket][learner] or found[bucket][learner], bucket, learner, lesson, slots[minute], lo, hi, count)
  if credited == 0 then return 0, contested, 0, 0, 0 end
  now[bucket][learner] = value
  local n = n_dirty[minute] + 1
  n_dirty[minute], dirty[minute][n] = n, names[learner]
  local sum = (minute - 1) * n_lessons + lesson
  seconds[sum] = seconds[sum] + credited
  if first then firsts[sum] = firsts[sum] + 1 end
  return credited, contested, 0, new_lo, new_hi
end

-- The t value of a pair, as it is in memory or in Redis; false where there is none.
local function total_of(pair, learner, lesson)
  pair_learner[pair], pair_lesson[pair] = learner, lesson
  if totals[pair] then return totals[pair] end
  local value = redis.call('HGET', total_keys[learner], lessons[lesson])
  if value and byte(value, 1) ~= FORMAT_BYTE then
    refuse_format(byte(value, 1), total_keys[learner], lessons[lesson])
  end
  return value
end

local function are_masks(value)
  local pos, size = 2, #value
  while pos <= size do pos = pos + 1 + byte(value, pos) + MASKS end
  return byte(value, 1) == FORMAT_BYTE and pos == size + 1
end

local function is_total(value)
  local intervals = #value - 10 - (byte(value, 10) or 0) -- bytes of them
  return byte(value, 1) == FORMAT_BYTE and intervals >= 0 and intervals % 8 == 0
end

-- Whether what Redis has of the learner can be read: the masks of the batch's buckets, and the total of the pair.
local function is_readable(learner, lesson, pair)
  for b = 1, n_buckets do
    if found[b][learner] and not are_masks(found[b][learner]) then return false end
  end
  local total = totals[pair] or redis.pcall('HGET', total_keys[learner], lessons[lesson])
  return not total or type(total) == 'string' and is_total(total)
end

-- Credits the next run in memory; returns its answer: one byte when every second was credited, else seven.
local function credit_run()
  local learner, lesson, pair, media_from, media_to, offset, length, n_pieces, minute, lo, hi, count, next_piece =
    unpack_struct('<I2I2I2I4I4i4I4BI2I4I4B', packed, position)
  if careful and not is_readable(learner, lesson, pair) then
    position = next_piece + (n_pieces - 1) * PIECE
    return UNREADABLE
  end
  local start = minutes[minute] * 60000 + offset
  local claimed, last, pieces = count, minutes[minute], nil
  local credited, contested, late, new_lo, new_hi = credit_piece(learner, lesson, minute, lo, hi, count)
  if n_pieces > 1 or (credited > 0 and credited < count) then pieces = {last * 60, new_lo, new_hi} end
  for k = 2, n_pieces do
    minute, lo, hi, count, next_piece = unpack_struct('<I2I4I4B', packed, next_piece)
    local new, others, too_late
    new, others, too_late, new_lo, new_hi = credit_piece(learner, lesson, minute, lo, hi, count)
    claimed, credited, contested, late = claimed + count, credited + new, contested + others, late + too_late
    pieces[3 * k - 2], pieces[3 * k - 1], pieces[3 * k] = minutes[minute] * 60, new_lo, new_hi
    if new > 0 and minutes[minute] > last then last = minutes[minute] end
  end
  position = next_piece
  if credited == claimed then
    local first = floor((start + 999) / 1000)
    totals[pair] = add_to_total(total_of(pair, learner, lesson), credited, last, courses[lesson],
      image(media_from, media_to, start, length, first, first + credited))
    return WHOLE
  end
  if credited > 0 then
    local value, uncounted = total_of(pair, learner, lesson), credited
    each_stretch(pieces, function(first, stop)
      value = add_to_total(value, uncounted, last, courses[lesson],
        image(media_from, media_to, start, length, first, stop))
      uncounted = 0
    end)
    totals[pair] = value
  end
  return COUNTS .. pack('<I2I2I2', credited, contested, late)
end

-- What is to be written of a minute's lesson sums: fields and values in turn; nil for nothing. A sum that cannot be read
-- stays as it is: it is a statistic of the lesson, and no reason to keep the seconds of its learners from them.
local function grown_sums(minute)
  local grown, fields, base = nil, nil, (minute - 1) * n_lessons
  for lesson = 1, n_lessons do
    if seconds[base + lesson] > 0 then
      grown, fields = grown or {}, fields or {}
      grown[#grown + 1], fields[#fields + 1] = lesson, lessons[lesson]
    end
  end
  if not grown then return nil end
  local values = redis.call('HMGET', sums_keys[minute], unpack(fields))
  local sums, n = {}, 0
  for i, lesson in ipairs(grown) do
    local value, sum, learners, published = values[i], seconds[base + lesson], firsts[base + lesson], 0
    local readable = not value or #value >= SUM and byte(value, 1) == FORMAT_BYTE
    if value and readable then
      local known_sum, known_learners
      known_sum, known_learners, published = unpack_struct('<I4I4I4', value, 2)
      sum, learners = sum + known_sum, learners + known_learners
    end
    if readable then
      sums[n + 1], sums[n + 2] = fields[i], FORMAT .. pack('<I4I4I4', sum, learners, published) .. courses[lesson]
      n = n + 2
    end
  end
  return n > 0 and sums or nil
end

local function credit_runs()
  for i = 1, n_runs do answers[i] = credit_run() end
end

local function write_dirty(keys)
  for m = 1, n_minutes do
    if n_dirty[m] > 0 then
      -- `due` first, and also where the minute is due already: a learner who is dirty in a minute that is never due would
      -- not be published
      redis.call('ZADD', keys[2], 'NX', due_texts[m], minute_texts[m])
      redis.call('SADD', dirty_keys[m], unpack(dirty[m], 1, n_dirty[m]))
      redis.call('SADD', keys[3], minute_texts[m])
    end
  end
end

-- Returns whether there was any.
local function write_masks()
  local any = false
  for b = 1, n_buckets do
    local n, values = 0, now[b]
    for learner = 1, n_learners do
      if values[learner] then
        changes[n + 1], changes[n + 2] = names[learner], values[learner]
        n = n + 2
      end
    end
    if n > 0 then
      any = true
      redis.call('HSET', bucket_keys[b], unpack(changes, 1, n))
    end
  end
  return any
end

local function write_totals()
  for pair = 1, n_pairs do
    if totals[pair] then
      redis.call('HSET', total_keys[pair_learner[pair]], lessons[pair_lesson[pair]], totals[pair])
    end
  end
end

-- A batch of runs of one partition.
-- KEYS floor, due, ld, epoch, then w of each bucket, then d and l of each minute, then t of each learner
-- ARGV one packed argument; then of each minute its text and when it is due; then of each lesson its head and course
-- -> one answer a run, joined; store/apply.c writes the one and reads the other
local function apply(keys, args)
  fetch_libraries()
  local stored, waits = open_batch(keys, args)
  careful = false
  -- Values are as good as always right, so they are looked at only where crediting has stumbled over one.
  if not pcall(credit_runs) then
    open_batch(keys, args)
    careful = true
    credit_runs()
  end
  local sums = {}
  for m = 1, n_minutes do sums[m] = grown_sums(m) end

  write_dirty(keys)
  local credited = write_masks()
  write_totals()
  for m = 1, n_minutes do
    if sums[m] then redis.call('HSET', sums_keys[m], unpack(sums[m])) end
  end
  if not stored then redis.call('HSETNX', keys[4], 'first', first_minute) end -- for the holder of the lease, who sets the floor
  if waits and not credited then redis.call('HINCRBY', keys[4], 'waited', 1) end -- something that WAIT can cover
  return concat(answers, '', 1, n_runs)
end

-- Does nothing, and is refused whenever `apply` would be: over maxmemory, without replicas, when the disk fails.
local function probe()
  return redis.status_reply('OK')
end

-- Begins an epoch of the partition whose epoch hash is KEY: what it holds from now on is compared with what Kafka was told
-- of this epoch alone. It is younger than the one before, and than REPLACED, the epoch that Kafka was told of last (0: none).
-- -> id: when the epoch was made, in Unix ms: NOW, as the caller's clock says it
local function begin_epoch(key, replaced, now)
  local before = math.max(tonumber(redis.call('HGET', key, 'id') or 0), tonumber(replaced))
  local id = math.max(tonumber(now), before + 1)
  redis.call('HSET', key, 'id', string.format('%d', id), 'taken', 0, 'replaced', replaced)
  redis.call('HDEL', key, 'committed')
  return id
end

-- The write of the publisher's barrier, behind what it has read of a partition: everything that was read was written
-- before this write, so a replica that has this write has all of it. If the partition's epoch is another one than ID, or
-- Kafka was told of a later take than its last one, the partition has lost what it held: the call fails, with an error that
-- begins with EPOCH, and writes nothing.
-- KEYS epoch   ARGV id: the epoch that was compared with what Kafka was told, 0: none was, so any is good, and one is made
-- where there is none; told: the last of its takes that Kafka was told of; now, in Unix ms
-- -> id, taken: how often the partition was taken from in its epoch
local function take(keys, args)
  local stored = redis.call('HMGET', keys[1], 'id', 'taken')
  local id, taken = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
  if args[1] ~= '0' and id ~= tonumber(args[1]) or taken < tonumber(args[2]) then
    error(redis.error_reply(string.format('EPOCH %s is at take %d of epoch %d, and not at take %s of epoch %s',
      keys[1], taken, id, args[2], args[1])))
  end
  if id == 0 then id = begin_epoch(keys[1], 0, args[3]) end
  return {id, redis.call('HINCRBY', keys[1], 'taken', 1)}
end

-- The partition has lost what it held, or is another one: a way back has to be gone before anything of it is published or
-- retired. Its floor becomes FLOOR at once (0: Kafka was told of none), since by what Kafka was told no run for the time
-- before is accepted any more. `kept` remembers the first minute that it may still hold: its floor until now, or where it has
-- none, the first minute that it could take runs for. A foreign partition takes no runs at all. The lesson sums of the time
-- before the floor are in Kafka, and other partitions have freed their parts of them, so they are not owed any more. Nothing
-- is done if the epoch is not the one that was compared: a way back may have begun another since. If this stops half-way, it
-- is done again.
-- KEYS epoch, floor, ld   ARGV lost: empty, rolled_back or foreign; the id and the take that Kafka was told of; floor; the id
-- that was compared, 0: there was none
-- -> 1 where the partition is lost now
local function lose(keys, args)
  local key, raised = keys[1], args[1] == 'foreign' and CLOSED or tonumber(args[4])
  if (redis.call('HGET', key, 'id') or '0') ~= args[5] then return 0 end
  local before = tonumber(redis.call('GET', keys[2]))
  local first = tonumber(redis.call('HGET', key, 'first')) or raised
  local kept = before or (raised > 0 and math.min(first, raised) or first)
  if kept > 0 then redis.call('HSETNX', key, 'kept', kept - kept % 10) end
  redis.call('HSET', key, 'lost', args[1], 'told_id', args[2], 'told_taken', args[3])
  if raised > (before or 0) then redis.call('SET', keys[2], raised) end
  if args[1] ~= 'foreign' then
    for _, minute in ipairs(redis.call('SMEMBERS', keys[3])) do
      if (tonumber(minute) or raised) < raised then redis.call('SREM', keys[3], minute) end
    end
  end
  return 1
end

-- A partition that lost what it held goes on with what it holds now, in an epoch of its own: with redis.durability memory,
-- that is what was asked for.
-- KEYS epoch   ARGV the id that Kafka was told of; now, in Unix ms
-- -> id
local function renew(keys, args)
  return begin_epoch(keys[1], args[1], args[2])
end

-- The masks of SLOT in VALUE that are not empty: length, id, lo, hi of each, as the daemon packs what it has published.
local function masks_of(value, slot)
  local masks, at, size = '', 2, #value
  while at < size do
    local base = at + 1 + byte(value, at)
    local mask = sub(value, base + slot * 8, base + slot * 8 + 7)
    if mask ~= NOTHING then masks = masks .. sub(value, at, base - 1) .. mask end
    at = base + MASKS
  end
  return masks
end

-- The learners SETTLED of a held bucket leave it, unless another of its minutes still has them.
local function let_go(keys, bucket, settled)
  for _, name in ipairs(settled) do
    local held = 0
    for i = 6, 15 do held = held + redis.call('SISMEMBER', keys[i], name) end
    if held == 0 then redis.call('HDEL', keys[2], name) end
  end
  if redis.call('EXISTS', keys[2]) == 0 then redis.call('SREM', keys[5], bucket) end
end

-- A learner leaves the dirty set only if its masks are still the published ones; a minute leaves `due` only when its set
-- is empty. `committed` is the last of the epoch's takes that is known to be in Kafka; a take of another epoch says nothing
-- of it: a holder of the lease that stood still after its commit may come when a way back has begun a new one.
-- What is settled of a bucket that was retired but for some learners leaves it (`hold_dirty`), unless its floor was lowered
-- since, so that its minutes can be claimed again.
-- KEYS due, w, epoch, floor, held, then ten d   ARGV minute, id, taken, then learner and published masks in turn
-- -> how many learners left
local function settle(keys, args)
  fetch_libraries()
  local slot = tonumber(args[1]) % 10
  local dirty = keys[6 + slot]
  local names, settled = {}, {}
  for i = 4, #args, 2 do names[#names + 1] = args[i] end
  if #names > 0 then
    local values = redis.call('HMGET', keys[2], unpack(names))
    for i, name in ipairs(names) do
      local value = values[i] or FORMAT
      if byte(value, 1) ~= FORMAT_BYTE then refuse_format(byte(value, 1), keys[2], name) end
      if masks_of(value, slot) == args[2 * i + 3] then settled[#settled + 1] = name end
    end
  end
  local left = #settled > 0 and redis.call('SREM', dirty, unpack(settled)) or 0
  if redis.call('EXISTS', dirty) == 0 then redis.call('ZREM', keys[1], args[1]) end
  local epoch = redis.call('HMGET', keys[3], 'id', 'committed')
  if epoch[1] == args[2] and tonumber(args[3]) > tonumber(epoch[2] or 0) then
    redis.call('HSET', keys[3], 'committed', args[3])
  end
  local bucket = floor(args[1] / 10)
  if redis.call('SISMEMBER', keys[5], bucket) == 1 then
    local first_stored = tonumber(redis.call('GET', keys[4]))
    if first_stored and first_stored ~= CLOSED and bucket * 10 + 10 <= first_stored then let_go(keys, bucket, settled) end
  end
  return left
end

-- Notes what was published of a minute's sums; the minute leaves `ld` once nothing of them is owed to Kafka.
-- KEYS ld, l   ARGV minute, then lesson and published seconds of this partition in turn
-- -> 1 where the minute left
local function settle_sums(keys, args)
  fetch_libraries()
  local published, changed, owed = {}, {}, false
  for i = 2, #args, 2 do published[args[i]] = tonumber(args[i + 1]) end
  local stored = redis.call('HGETALL', keys[2])
  for i = 1, #stored, 2 do
    local lesson, value = stored[i], stored[i + 1]
    if #value < SUM or byte(value, 1) ~= FORMAT_BYTE then
      owed = true
    else
      local sum, learners, before = unpack_struct('<I4I4I4', value, 2)
      local now = published[lesson] or 0
      if now > before then
        changed[#changed + 1] = lesson
        changed[#changed + 1] = FORMAT .. pack('<I4I4I4', sum, learners, now) .. sub(value, SUM + 1)
      end
      owed = owed or sum > now and sum > before
    end
  end
  for i = 1, #changed, PORTION do
    redis.call('HSET', keys[2], unpack(changed, i, math.min(i + PORTION - 1, #changed)))
  end
  return owed and 0 or redis.call('SREM', keys[1], args[1])
end

-- Makes the minutes of a bucket due that still have a dirty learner. If `due` was lost, they would never be published
-- otherwise, and the bucket never retired. Returns whether there are any.
local function make_dirty_due(keys, first_minute, grace)
  local any = false
  for i = 0, 9 do
    if redis.call('EXISTS', keys[7 + i]) == 1 then
      any = true
      redis.call('ZADD', keys[2], 'NX', (first_minute + i + 1) * 60 + grace, first_minute + i)
    end
  end
  return any
end

-- Gives a bucket's memory back, but for its dirty learners, who leave it when they are settled: values that cannot be read
-- and records that Kafka refuses would otherwise keep all that came later in Redis. False when there are too many of them.
local function hold_dirty(keys, bucket)
  local names, known, n = {}, {}, 0
  for i = 7, 16 do
    n = n + redis.call('SCARD', keys[i])
    if n > PORTION then return false end
    for _, name in ipairs(redis.call('SMEMBERS', keys[i])) do
      if not known[name] then names[#names + 1], known[name] = name, true end
    end
  end
  local values = redis.call('HMGET', keys[3], unpack(names))
  redis.call('UNLINK', keys[3])
  for i, name in ipairs(names) do
    if values[i] then redis.call('HSET', keys[3], name, values[i]) end
  end
  redis.call('SADD', keys[6], bucket)
  return true
end

-- Raises the floor past one bucket and unlinks it, if it is the oldest and nothing in it is dirty, or what is may be held. The
-- lesson sums of the bucket before it go too: by then every partition refuses claims on them, so that a sum, once published,
-- never falls. If the floor was raised past buckets that are still there, `kept` is the first of them, and is raised in its
-- place. While a rebuilding has left learners out, nothing goes: what they are restored with is compared with these masks.
-- KEYS floor, due, w, epoch, left_out, held, then ten d, then ten l of the bucket before   ARGV bucket, grace, 1: dirty
--   learners may be held
-- -> the first minute that the partition still holds
local function retire(keys, args)
  local first, after = tonumber(args[1]) * 10, tonumber(args[1]) * 10 + 10
  local floor, kept = tonumber(redis.call('GET', keys[1])), tonumber(redis.call('HGET', keys[4], 'kept'))
  if (kept or floor or first) ~= first then return kept or floor end
  local dirty = make_dirty_due(keys, first, tonumber(args[2]))
  if dirty and args[3] ~= '1' or redis.call('EXISTS', keys[5]) == 1 then return first end
  if dirty then
    if not hold_dirty(keys, args[1]) then return first end
  else
    redis.call('UNLINK', keys[3])
    redis.call('SREM', keys[6], args[1])
  end
  redis.call('UNLINK', unpack(keys, 17))
  if kept and floor and after <= floor then
    redis.call('HSET', keys[4], 'kept', after)
  else
    redis.call('HDEL', keys[4], 'kept', 'restored')
    redis.call('SET', keys[1], after)
  end
  return after
end

-- What was said within OFFER_MS: NUMBER of 'NUMBER ms'; nil for anything else.
local function fresh(said, now)
  local number, at = (said or ''):match('^(%d+) (%d+)$')
  return number and tonumber(at) + OFFER_MS >= now and tonumber(number) or nil
end

-- Who could publish the most, if that is more than COULD.
local function best_offer(offers, could, now)
  local heir, fields = nil, redis.call('HGETALL', offers)
  for i = 1, #fields, 2 do
    local offered = fresh(fields[i + 1], now)
    if fields[i] ~= '' and offered and offered > could then heir, could = fields[i], offered end
  end
  return heir
end

-- A holder that cannot publish everything asks who could publish more: the field '' of a hash has how many partitions it
-- could publish itself, and when it said so in Unix ms. Until OFFER_MS after that, each daemon that stands by writes the
-- same of itself into a field of its name.
-- KEYS minuted:publisher, the offers   ARGV holder, milliseconds (0 gives it up), how many partitions it could publish,
--   what a holder wishes: 'keep', 'ask', or 'give' the lease to whoever could publish more
-- -> who holds the lease afterwards ('' for nobody); what a holder that asks could publish, -1 if none asks; 1 if the lease
--   was given away just now, else 0
local function lease(keys, args)
  local holder, time = redis.call('GET', keys[1]), redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local said = ('%s %.0f'):format(args[3], now)
  if holder and holder ~= args[1] then
    local asked = fresh(redis.call('HGET', keys[2], '') or nil, now)
    if asked then redis.call('HSET', keys[2], args[1], said) end
    return {holder, asked or -1, 0}
  end
  if tonumber(args[2]) == 0 then
    redis.call('DEL', keys[1])
    return {'', -1, 0}
  end
  local heir = holder and args[4] == 'give' and best_offer(keys[2], tonumber(args[3]), now)
  local anew = args[4] ~= 'keep' and not fresh(redis.call('HGET', keys[2], '') or nil, now)
  if heir or anew then redis.call('DEL', keys[2]) end
  if not heir and args[4] ~= 'keep' then redis.call('HSET', keys[2], '', said) end
  redis.call('SET', keys[1], heir or args[1], 'PX', args[2])
  return {heir or args[1], -1, heir and 1 or 0}
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

-- Changes what the settings say of programs, if they say what is expected; '' stands for a field that is not there.
-- KEYS minuted:settings   ARGV program and program_begins as they are, then as they are to be; programs_ended ('': as it is)
-- -> 1 if they said so
local function set_program(keys, args)
  local found = redis.call('HMGET', keys[1], 'program', 'program_begins')
  if (found[1] or '') ~= args[1] or (found[2] or '') ~= args[2] then return 0 end
  if args[5] ~= '' then
    redis.call('HSET', keys[1], 'programs_ended', args[5])
    redis.call('HDEL', keys[1], 'program_closes') -- the one before's; the new program's daemons say when theirs closes
  end
  if args[4] == '' then
    redis.call('HDEL', keys[1], 'program_begins')
  else
    redis.call('HSET', keys[1], 'program_begins', args[4])
  end
  redis.call('HSET', keys[1], 'program', args[3])
  return 1
end

-- Closes a partition, whose runs `apply` then refuses with FLOOR, until it is opened: also those of a daemon that has not
-- seen yet that it is no longer asked.
-- KEYS floor, epoch
local function close_partition(keys)
  if not redis.call('HGET', keys[2], 'floor_before') then
    redis.call('HSET', keys[2], 'floor_before', redis.call('GET', keys[1]) or '')
    redis.call('SET', keys[1], CLOSED)
  end
  return 1
end

-- Opens a closed partition with the floor that it had.
-- KEYS floor, epoch   ARGV now, in Unix ms: what the partition holds begins anew, and so does its epoch; 0: it does not
local function open_partition(keys, args)
  local floor = redis.call('HGET', keys[2], 'floor_before')
  if not floor then return 0 end
  if args[1] ~= '0' then
    begin_epoch(keys[2], 0, args[1])
    redis.call('HDEL', keys[2], 'first', 'waited', 'kept', 'restored')
  end
  redis.call('HDEL', keys[2], 'floor_before')
  if floor == '' then
    redis.call('DEL', keys[1])
  else
    redis.call('SET', keys[1], floor)
  end
  return 1
end

-- What `restore` and `restore_masks` share: the masks of one learner, as the topics have them.
--   the argument   n_buckets, n_minutes, n_lessons, n_masks; of each minute itself and its bucket; of each lesson three
--                  numbers; of each mask its minute, its lesson and its two words; numbered from 1
-- -> where the lessons' numbers begin, where the masks begin, how many, the numbers of lessons and of minutes, the minutes,
-- and each one's bucket
local function open_restore(argument)
  local n_buckets, n_minutes, n_lessons, n_masks, position = unpack_struct('<I4I4I4I4', argument, 1)
  local minute_of, bucket_of = {}, {}
  for m = 1, n_minutes do minute_of[m], bucket_of[m], position = unpack_struct('<I4I4', argument, position) end
  return position, position + 12 * n_lessons, n_masks, n_lessons, n_buckets, minute_of, bucket_of
end

-- The masks of NAME in N buckets, whose keys stand behind the first FIRST.
local function read_masks(keys, first, n, name)
  local values = {}
  for b = 1, n do
    values[b] = redis.call('HGET', keys[first + b], name) or FORMAT
    if not are_masks(values[b]) then refuse_format(byte(values[b], 1), keys[first + b], name) end
  end
  return values
end

-- VALUE with the mask at AT (nil: LESSON has none yet) replaced by the words lo and hi.
local function put_mask(value, at, lesson, slot, lo, hi)
  if not at then
    value = value .. pack('<Bc0', #lesson, lesson) .. ZEROS[10]
    at = #value - MASKS + 1
  end
  local mask = at + slot * 8
  return sub(value, 1, mask - 1) .. pack('<I4I4', lo, hi) .. sub(value, mask + 8)
end

-- VALUE without the bits lo and hi of SLOT in the lessons other than LESSON. Calls LOSE with each that has lost some, how
-- many, and whether it has none of the minute any more.
local function take_from_others(value, lesson, slot, lo, hi, lose)
  local pos, size = 2, #value
  while pos < size do
    local length = byte(value, pos)
    local other, at = sub(value, pos + 1, pos + length), pos + 1 + length
    local own_lo, own_hi = unpack_struct('<I4I4', value, at + slot * 8)
    local left_lo, left_hi = band(own_lo, bnot(lo)), band(own_hi, bnot(hi))
    if other ~= lesson and (left_lo ~= own_lo or left_hi ~= own_hi) then
      value = put_mask(value, at, other, slot, left_lo, left_hi)
      lose(other, count30(own_lo) + count30(own_hi) - count30(left_lo) - count30(left_hi), left_lo == 0 and left_hi == 0)
    end
    pos = at + MASKS
  end
  return value
end

-- Fails unless TOKEN names the process that restores the partition whose epoch hash is KEY. Of two, the younger goes on.
local function check_rebuilder(key, token)
  if redis.call('HGET', key, 'rebuilder') ~= token then
    error(redis.error_reply('REBUILDER ' .. key .. ' is restored by another process'))
  end
end

-- Why the partition waits for a way back that the process TOKEN may go; anything else fails.
local function check_lost(key, token)
  check_rebuilder(key, token)
  local lost = redis.call('HGET', key, 'lost')
  if lost ~= 'empty' and lost ~= 'rolled_back' then
    error(redis.error_reply('REBUILDER ' .. key .. ' is not to be restored: lost is ' .. tostring(lost)))
  end
end

-- Merges what the topics say of one learner into a partition that has lost it.
-- From the floor on, masks are ORed in, and a second that another lesson has here is taken from it, since of a lost partition
-- nothing is published; what is new is added to totals and lesson sums. From `kept` to the floor masks are compared, and what
-- is new is added to totals alone, since nobody can claim these minutes any more, and Kafka has their sums. If the lesson has
-- masks of the bucket here, they may be dirty, and are merged: what is published of them must not be less than Kafka has.
-- What another rebuilding has compared (`restored`) is in totals already. What was before, and whatever else is to be counted
-- as it is, comes as a number of seconds. A total that Kafka has may be ahead of the masks that Kafka has: of minutes that were
-- not yet due. Which seconds these were nobody knows any more, so they do not count: whoever sends them again is credited for
-- them. The lesson's newest minute becomes dirty then, so that Kafka gets the total as it is now. What would count twice in a
-- second call is done only for a learner who is not in `rebuilt` yet.
-- A learner whom an earlier pass has left out stands in `left_out`, and is restored by what that pass would have gone by,
-- also into a partition that is whole by now: nothing of such a learner was published since, and nothing was retired. If a
-- lesson's total is gone, since it was the spoiled value, all that the topics and the masks have of it counts. The learner
-- leaves `left_out` in the same call, so a second call finds nothing to do.
-- KEYS epoch, floor, ld, rebuilt, t, due, left_out, then w of each bucket, then l of each minute, then d of each minute
-- ARGV token, learner, the packed argument (a lesson's numbers: seconds of the time before `kept`, Kafka's total, last
-- minute), then of each lesson its id, its course and its covered intervals
-- -> seconds that are new in masks; taken from other lessons; that Kafka's totals are ahead; 1 where the learner is new
local function restore(keys, args)
  fetch_libraries()
  check_rebuilder(keys[1], args[1])
  local name, argument = args[2], args[3]
  local first_stored = tonumber(redis.call('GET', keys[2]) or 0)
  local state = redis.call('HMGET', keys[1], 'kept', 'restored', 'lost')
  local first_compared = math.max(tonumber(state[1] or first_stored), tonumber(state[2] or 0))
  local left_out, lost = redis.call('HGET', keys[7], name), state[3]
  if lost or not left_out then
    if not lost and not left_out then return {0, 0, 0, 0} end
    check_lost(keys[1], args[1])
  end
  local once = redis.call('SISMEMBER', keys[4], name) == 0
  local is_empty = lost == 'empty'
  if left_out then
    local why, kept = left_out:match('^([%a_]+) (%d+)$')
    if not why then refuse_format(byte(left_out, 1), keys[7], name) end
    is_empty, first_compared = why == 'empty', tonumber(kept)
  end
  local numbers, position, n_masks, n_lessons, n_buckets, minute_of, bucket_of = open_restore(argument)
  local sums_from = 7 + n_buckets -- keys before those of lesson sums
  local dirty_from = sums_from + #minute_of
  local values = read_masks(keys, 7, n_buckets, name)
  local is_gone = {} -- of lessons: the total was spoiled
  local lesson_of, course_of, gained, grown, changed, newest, dirty_minutes = {}, {}, {}, {}, {}, {}, {}
  for i = 1, n_lessons do
    lesson_of[i] = args[1 + 3 * i]
    course_of[lesson_of[i]], gained[lesson_of[i]] = args[2 + 3 * i], 0
    is_gone[lesson_of[i]] = left_out and once and not redis.call('HGET', keys[5], lesson_of[i])
  end
  local function grow(minute, lesson, seconds, learners)
    gained[lesson] = (gained[lesson] or 0) + seconds
    if minute_of[minute] < first_stored then return end
    grown[minute] = grown[minute] or {}
    local sum = grown[minute][lesson] or {0, 0}
    grown[minute][lesson] = {sum[1] + seconds, sum[2] + learners}
  end
  local new, taken, ahead = 0, 0, 0
  for _ = 1, n_masks do
    local m, i, lo, hi
    m, i, lo, hi, position = unpack_struct('<I4I4I4I4', argument, position)
    local minute, lesson, b = minute_of[m], lesson_of[i], bucket_of[m]
    local slot, stored = minute % 10, minute >= first_stored
    if stored then newest[lesson] = m end
    if stored or once and minute >= first_compared then
      local at, others_lo, others_hi = find_masks(values[b], lesson, slot)
      if band(lo, others_lo) ~= 0 or band(hi, others_hi) ~= 0 then
        changed[b] = true
        values[b] = take_from_others(values[b], lesson, slot, lo, hi, function(other, seconds, none)
          taken = taken + seconds
          grow(m, other, -seconds, none and -1 or 0)
        end)
      end
      local own_lo, own_hi = 0, 0
      if at then own_lo, own_hi = unpack_struct('<I4I4', values[b], at + slot * 8) end
      local count = count30(band(lo, bnot(own_lo))) + count30(band(hi, bnot(own_hi)))
      if is_gone[lesson] then gained[lesson] = gained[lesson] + count30(own_lo) + count30(own_hi) end
      if count > 0 then
        new = new + count
        grow(m, lesson, count, own_lo == 0 and own_hi == 0 and 1 or 0)
        if stored or at then
          changed[b] = true
          values[b] = put_mask(values[b], at, lesson, slot, bor(own_lo, lo), bor(own_hi, hi))
        end
      end
    end
  end

  local totals = {} -- fields and values in turn
  local function read_total(lesson)
    local value = redis.call('HGET', keys[5], lesson)
    if value and not is_total(value) then refuse_format(byte(value, 1), keys[5], lesson) end
    return value
  end
  for i = 1, n_lessons do
    local lesson, intervals = lesson_of[i], args[3 + 3 * i]
    local whole, kafka, last = unpack_struct('<I4I4I4', argument, numbers + 12 * (i - 1))
    local value, merged = read_total(lesson), nil
    local seconds = gained[lesson] + (once and (is_empty or is_gone[lesson]) and whole or 0)
    if value then
      local watched, known_last, length = unpack_struct('<I4I4B', value, 2)
      seconds, last, merged = watched + seconds, math.max(last, known_last), sub(value, 11 + length)
      for at = 1, #intervals, 8 do merged = merge_interval(merged, unpack_struct('<I4I4', intervals, at)) end
    else
      merged = intervals
    end
    if kafka > seconds then
      ahead = ahead + kafka - seconds
      if newest[lesson] then dirty_minutes[newest[lesson]] = true end
    end
    gained[lesson] = nil
    local after = FORMAT .. pack('<I4I4Bc0', seconds, last, #course_of[lesson], course_of[lesson]) .. merged
    if seconds > 0 and after ~= value then totals[#totals + 1], totals[#totals + 2] = lesson, after end
  end
  for lesson, seconds in pairs(gained) do -- what is left are lessons that the topics do not have
    local value = read_total(lesson)
    if value then
      local watched = unpack_struct('<I4', value, 2)
      totals[#totals + 1] = lesson
      totals[#totals + 1] = FORMAT .. pack('<I4', math.max(0, watched + seconds)) .. sub(value, 6)
    end
  end
  local sums = {} -- key, field and value in turn
  for m, lessons_grown in pairs(grown) do
    for lesson, by in pairs(lessons_grown) do
      local value = redis.call('HGET', keys[sums_from + m], lesson)
      local readable = not value or #value >= SUM and byte(value, 1) == FORMAT_BYTE
      if readable and (value or by[1] > 0) then
        local sum, learners, published, course = 0, 0, 0, course_of[lesson]
        if value then
          sum, learners, published = unpack_struct('<I4I4I4', value, 2)
          course = course or sub(value, SUM + 1)
        end
        sums[#sums + 1], sums[#sums + 2] = keys[sums_from + m], lesson
        sums[#sums + 1] = FORMAT ..
          pack('<I4I4I4', math.max(0, sum + by[1]), math.max(0, learners + by[2]), published) .. course
      end
    end
  end

  -- For WAIT; and these are the writes that a key of a wrong type could refuse. All other keys have been read.
  redis.call('HINCRBY', keys[1], 'waited', 1)
  for m in pairs(grown) do redis.call('SADD', keys[3], minute_of[m]) end
  if once and lost then redis.call('SADD', keys[4], name) end
  for m in pairs(dirty_minutes) do
    redis.call('ZADD', keys[6], 'NX', (minute_of[m] + 1) * 60, minute_of[m])
    redis.call('SADD', keys[dirty_from + m], name)
  end
  for b in pairs(changed) do redis.call('HSET', keys[7 + b], name, values[b]) end
  for i = 1, #totals, 2 do redis.call('HSET', keys[5], totals[i], totals[i + 1]) end
  for i = 1, #sums, 3 do redis.call('HSET', sums[i], sums[i + 1], sums[i + 2]) end
  if left_out then redis.call('HDEL', keys[7], name) end
  return {new, taken, ahead, once and 1 or 0}
end

-- Notes a learner whose values cannot be read, so that another rebuilding restores it once they can. What an earlier pass has
-- noted stays: nothing of the learner was restored since.
-- KEYS epoch, left_out   ARGV token, learner, why the partition was lost, the first minute whose masks were to be compared
-- -> 1
local function leave_out(keys, args)
  check_rebuilder(keys[1], args[1])
  redis.call('HINCRBY', keys[1], 'waited', 1)
  redis.call('HSETNX', keys[2], args[2], args[3] .. ' ' .. args[4])
  return 1
end

-- A pass over a share of the learners is done: whoever was in it need not be told apart any more.
-- KEYS epoch, rebuilt   ARGV token, the number of passes, the next one
-- -> 1
local function restore_next(keys, args)
  check_lost(keys[1], args[1])
  redis.call('UNLINK', keys[2])
  redis.call('HSET', keys[1], 'slices', args[2], 'slice', args[3])
  return 1
end

-- The partition is whole again, and a new epoch begins in the place of the one that Kafka was told of. `rebuilder` stays, so
-- that whoever has lost the answer may ask again. `restored` says up to where totals have all that the topics have, though
-- masks may have less: if the partition is lost once more before those are retired, that is not to be added again.
-- KEYS epoch, rebuilt, floor   ARGV token; now, in Unix ms
-- -> id of the new epoch
local function restore_end(keys, args)
  check_rebuilder(keys[1], args[1])
  local state = redis.call('HMGET', keys[1], 'lost', 'told_id', 'id')
  if not state[1] then return tonumber(state[3]) end
  check_lost(keys[1], args[1])
  redis.call('UNLINK', keys[2])
  local floor = redis.call('GET', keys[3])
  if floor then redis.call('HSET', keys[1], 'restored', floor) end
  local id = begin_epoch(keys[1], state[2] or 0, args[2])
  redis.call('HDEL', keys[1], 'lost', 'told_id', 'told_taken', 'slice', 'slices')
  return id
end

-- Puts masks back that a wrong floor has freed. Totals still have their seconds. A second that another lesson has stays there.
-- KEYS epoch, then w of each bucket   ARGV token, learner, the packed argument (a lesson's numbers are not used), then the
-- id of each lesson
-- -> seconds that are put back
local function restore_masks(keys, args)
  fetch_libraries()
  check_rebuilder(keys[1], args[1])
  local name, argument = args[2], args[3]
  local _, position, n_masks, _, n_buckets, minute_of, bucket_of = open_restore(argument)
  local values, changed, new = read_masks(keys, 1, n_buckets, name), {}, 0
  for _ = 1, n_masks do
    local m, i, lo, hi
    m, i, lo, hi, position = unpack_struct('<I4I4I4I4', argument, position)
    local lesson, b, slot = args[3 + i], bucket_of[m], minute_of[m] % 10
    local at, others_lo, others_hi = find_masks(values[b], lesson, slot)
    local own_lo, own_hi = 0, 0
    if at then own_lo, own_hi = unpack_struct('<I4I4', values[b], at + slot * 8) end
    local new_lo = band(lo, bnot(bor(own_lo, others_lo)))
    local new_hi = band(hi, bnot(bor(own_hi, others_hi)))
    if new_lo ~= 0 or new_hi ~= 0 then
      new = new + count30(new_lo) + count30(new_hi)
      changed[b], values[b] = true, put_mask(values[b], at, lesson, slot, bor(own_lo, new_lo), bor(own_hi, new_hi))
    end
  end
  redis.call('HINCRBY', keys[1], 'waited', 1)
  for b in pairs(changed) do redis.call('HSET', keys[1 + b], name, values[b]) end
  return new
end

-- Puts lesson sums of a minute back that a wrong floor has freed: all that is published of them here. They may be there still.
-- KEYS epoch, l   ARGV token, then lesson, seconds, learners and course in turn
-- -> how many sums were raised
local function restore_sums(keys, args)
  fetch_libraries()
  check_rebuilder(keys[1], args[1])
  local changed = {}
  for i = 2, #args, 4 do
    local sum, learners, published = tonumber(args[i + 1]), tonumber(args[i + 2]), tonumber(args[i + 1])
    local value = redis.call('HGET', keys[2], args[i])
    if not value or #value >= SUM and byte(value, 1) == FORMAT_BYTE then
      local a, b, c = 0, 0, 0
      if value then a, b, c = unpack_struct('<I4I4I4', value, 2) end
      local after = FORMAT .. pack('<I4I4I4', math.max(a, sum), math.max(b, learners), math.max(c, published)) .. args[i + 3]
      if after ~= value then changed[#changed + 1], changed[#changed + 2] = args[i], after end
    end
  end
  redis.call('HINCRBY', keys[1], 'waited', 1)
  for i = 1, #changed, 2 do redis.call('HSET', keys[2], changed[i], changed[i + 1]) end
  return #changed / 2
end

-- Lowers a floor that was a wrong one, unless it is another one by now.
-- KEYS epoch, floor   ARGV token, the floor as it was, as it is to be
-- -> the floor
local function lower_floor(keys, args)
  check_rebuilder(keys[1], args[1])
  local lost, floor = redis.call('HGET', keys[1], 'lost'), redis.call('GET', keys[2])
  if lost then error(redis.error_reply('REBUILDER ' .. keys[1] .. ' is lost: ' .. lost)) end
  if floor == args[2] then
    redis.call('SET', keys[2], args[3])
    floor = args[3]
  end
  redis.call('HINCRBY', keys[1], 'waited', 1)
  return tonumber(floor)
end

local function register(name, callback, flags)
  redis.register_function{function_name = '@LIBRARY@_' .. name, callback = callback, flags = flags}
end

register('apply', apply, {})
register('probe', probe, {})
register('take', take, {'allow-oom'})
register('lose', lose, {'allow-oom'})
register('renew', renew, {'allow-oom'})
register('settle', settle, {'allow-oom'})
register('settle_sums', settle_sums, {'allow-oom'})
register('retire', retire, {'allow-oom'})
register('lease', lease, {'allow-oom'})
register('watermark', watermark, {'allow-oom'})
register('set_program', set_program, {'allow-oom'})
register('close_partition', close_partition, {'allow-oom'})
register('open_partition', open_partition, {'allow-oom'})
register('restore', restore, {})
register('leave_out', leave_out, {'allow-oom'})
register('restore_next', restore_next, {'allow-oom'})
register('restore_end', restore_end, {'allow-oom'})
register('restore_masks', restore_masks, {})
register('restore_sums', restore_sums, {})
register('lower_floor', lower_floor, {'allow-oom'})
