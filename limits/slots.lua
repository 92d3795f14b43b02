-- The slots of live calls, in front of acquire.lua: whether a cap has one free, and taking it. A slot is the call's id with
-- the moment at which it lapses unless it is renewed; no set of them holds more than its limit.
local SLOT_WAIT, NUMBER_WAIT = 250000, 1000000
local lapse = score(math.floor(now / 1000) + job.lease)

-- To drop a slot whose permit is still held would grant its place twice: its dialer may live and have failed to renew
-- it, while another kept the epoch. The rows of the calls are asked then. All slots of a permit lapse at one time, so
-- what the tenant's, the gateway's and the nodes' say before the first grant says it of the numbers' too.
local lapsed_in_use = false

-- A call's second leg has its slot under a name of its own: by one gateway a call may have both of its legs.
local function second_leg(id)
  return id .. ':b'
end

local function call_of(slot)
  return (string.gsub(slot, ':b$', ''))
end

local function slots(key, limit, reason)
  local time = math.floor(now / 1000)
  local lapsed = redis.call('ZRANGEBYSCORE', key, '-inf', time)
  for _, id in ipairs(lapsed) do
    lapsed_in_use = lapsed_in_use or redis.call('HEXISTS', KEYS[5], call_of(id)) == 1
  end
  if #lapsed > 0 and not lapsed_in_use then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', time)
  end
  return {key = key, limit = limit, used = redis.call('ZCARD', key), reason = reason, wait = SLOT_WAIT}
end

-- The one slot of a number, which two calls of a batch may want. Hardly ever is there anything in any: `empty`.
local numbers = {}

local function number_slot(key, empty)
  local scope = numbers[key]
  if not scope then
    if empty or redis.call('EXISTS', key) == 0 then
      scope = {key = key, limit = 1, used = 0, reason = 'number_cap'}
    else
      scope = slots(key, 1, 'number_cap')
    end
    scope.wait = NUMBER_WAIT
    numbers[key] = scope
  end
  return scope
end

-- What is taken is written once for all calls of a batch, and before anything is read of it: a command for each would be
-- most of what a call costs.
local function write_slots(scope)
  local writes = scope.writes
  if writes then
    scope.writes = nil
    redis.call('ZADD', scope.key, unpack(writes))
    redis.call('PEXPIRE', scope.key, job.keep)
  end
end

-- `before`: slots that the same call takes here first.
local function has_room(scope, id, before)
  if scope.limit < 0 or scope.used + (before or 0) < scope.limit then
    return true
  end
  if scope.limit == 0 then
    return false
  end
  write_slots(scope)
  return redis.call('ZSCORE', scope.key, id)
end

-- Of a call that has none here.
local function take(scope, id)
  local writes = scope.writes or {}
  writes[#writes + 1], writes[#writes + 2] = lapse, id
  scope.writes, scope.used = writes, scope.used + 1
end

-- Of a number's one slot: no other call of the batch shares it.
local function take_number(scope, id)
  scope.used = scope.used + 1
  redis.call('ZADD', scope.key, lapse, id)
  redis.call('PEXPIRE', scope.key, job.keep)
end

local function renew(scope, id)
  write_slots(scope)
  scope.used = scope.used + redis.call('ZADD', scope.key, lapse, id)
  redis.call('PEXPIRE', scope.key, job.keep)
end
