-- Little-endian numbers and strings in a byte buffer that is kept between requests. LuaJIT 2.1 compiles these to
-- single stores; its machines are little-endian.
local ffi = require 'ffi'

local cast, to_string = ffi.cast, ffi.string
local u16, u32 = ffi.typeof('uint16_t *'), ffi.typeof('uint32_t *')
local i32, i64 = ffi.typeof('int32_t *'), ffi.typeof('int64_t *')

local bytes = {}

function bytes.new(size)
  return ffi.new('uint8_t[?]', size)
end

-- Each put returns the place behind what it wrote.
function bytes.put_u8(buffer, at, value)
  buffer[at] = value
  return at + 1
end

function bytes.put_u16(buffer, at, value)
  cast(u16, buffer + at)[0] = value
  return at + 2
end

function bytes.put_u32(buffer, at, value)
  cast(u32, buffer + at)[0] = value
  return at + 4
end

function bytes.put_i32(buffer, at, value)
  cast(i32, buffer + at)[0] = value
  return at + 4
end

function bytes.to_string(buffer, size)
  return to_string(buffer, size)
end

-- A signed number of 8 bytes, exact up to 2^53.
function bytes.get_i64(pointer, at)
  return tonumber(cast(i64, pointer + at)[0])
end

return bytes
