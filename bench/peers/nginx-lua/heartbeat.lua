-- POST /v1/heartbeats with one run: decode, verify, judge, credit in Redis, answer.
local cjson = require 'cjson.safe'
local redis_client = require 'nginx.redis'
local apply = require 'apply'
local claim = require 'claim'
local session_token = require 'session_token'

local HORIZON_MS, INTERVAL_MS = 86400000, 15000
local TIMEOUT_MS, IDLE_MS, POOL = 3000, 60000, 1024

local heartbeat = {}
local lessons
local apply_function -- of the daemon's library
local connect -- of a client, to the server that is configured

local function read_file(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

local function connect_to(address)
  local options = {pool_size = POOL, backlog = 4096}
  if address:sub(1, 5) == 'unix:' then
    return function(client) return client:connect(address, options) end
  end
  local host, port = address:match('^(.*):(%d+)$')
  port = tonumber(port)
  return function(client) return client:connect(host, port, options) end
end

local function or_unbounded(value, unbounded)
  return value == cjson.null and unbounded or value
end

-- Called once, in the master.
function heartbeat.configure(settings_file)
  local settings = assert(cjson.decode(read_file(settings_file)))
  lessons = settings.lessons
  for _, lesson in pairs(lessons) do
    lesson.opens_ms = or_unbounded(lesson.opens_ms, -math.huge)
    lesson.closes_ms = or_unbounded(lesson.closes_ms, math.huge)
  end
  apply.configure(settings.prefixes)
  apply_function = settings.apply
  session_token.configure((read_file(settings.session_key_file):gsub('\n$', ''))) -- as minuted reads a key
  connect = connect_to(settings.redis)
end

local function answer(status, content_type, body)
  ngx.status = status
  ngx.header.content_type = content_type
  ngx.header.content_length = #body
  ngx.print(body)
end

local function answer_problem(status, title)
  if status == 503 then ngx.header.retry_after = 2 end
  answer(status, 'application/problem+json', '{"type":"about:blank","title":"' .. title .. '","status":' .. status .. '}')
end

local function answer_result(result)
  answer(200, 'application/json', '{"results":[' .. result .. '],"server_time_ms":'
    .. ('%d'):format(ngx.now() * 1000) .. ',"heartbeat_interval_ms":' .. INTERVAL_MS .. '}')
end

local function answer_reason(reason)
  if reason == 'session_expired' then return answer_problem(410, 'Gone') end
  local status = (reason == 'ahead_of_clock' or reason == 'lesson_unknown') and 'retry' or 'rejected'
  answer_result('{"status":"' .. status .. '","reason":"' .. reason .. '"}')
end

local function answer_accepted(credited, duplicate, contested)
  answer_result('{"status":"accepted","credited_seconds":' .. credited .. ',"duplicate_seconds":' .. duplicate
    .. ',"contested_seconds":' .. contested .. '}')
end

-- Redis's answer, nil where there is none. The connection goes back to the pool only when it is good.
local function call(n_keys, arguments)
  local client = redis_client:new()
  client:set_timeout(TIMEOUT_MS)
  if not connect(client) then return nil end
  local reply = client:fcall(apply_function, n_keys, unpack(arguments))
  if reply == nil then
    client:close()
    return nil
  end
  client:set_keepalive(IDLE_MS, POOL)
  return reply or nil
end

local function credit(session, lesson, claimed, now_ms)
  if claimed.first_second == claimed.end_second then return answer_accepted(0, 0, 0) end
  local reply = call(apply.encode(session, lesson.course, claimed, now_ms))
  if not reply then return answer_problem(503, 'Service Unavailable') end
  local credited, duplicate, contested, late = apply.decode(reply, claimed)
  if late == claimed.end_second - claimed.first_second then return answer_reason('too_late') end
  answer_accepted(credited, duplicate, contested)
end

local function read_request()
  ngx.req.read_body()
  local request = cjson.decode(ngx.req.get_body_data() or '')
  local runs = type(request) == 'table' and request.runs
  return type(runs) == 'table' and #runs == 1 and request or nil
end

function heartbeat.handle()
  if ngx.req.get_method() ~= 'POST' then return answer_problem(405, 'Method Not Allowed') end
  local request = read_request()
  if not request then return answer_problem(400, 'Bad Request') end
  local session = session_token.verify(request.session_token)
  if not session then return answer_problem(401, 'Unauthorized') end
  local now_ms = ngx.now() * 1000
  if now_ms > session.expiry_ms + HORIZON_MS then return answer_problem(410, 'Gone') end
  local lesson = lessons[session.lesson]
  local reason, claimed = claim.judge(session, lesson, now_ms, request.runs[1])
  if reason then return answer_reason(reason) end
  credit(session, lesson, claimed, now_ms)
end

return heartbeat
