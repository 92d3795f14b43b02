-- One decision over every cap for a batch of calls. Asking again with the same call id never counts twice.
-- KEYS: 1 epoch, 2 the dialer's lease, 3 its fence, 4 clock, 5 permits, 6 held by the dialer, 7 holders, 8 next_due,
--       9 the tenant's day, 10-12 slots of campaign, tenant, gateway, 13-14 rates of tenant, gateway;
--       for each node its slots and its rate; for each request the slots of its number with this tenant.
-- ARGV: JSON {epoch, dialer, ask, lease (ms), keep (ms), life (µs), campaign, concurrency, tenant, concurrent, rate,
--       calls, minutes, gateway, channels, gateway_rate, nodes [[name, channels, rate]], requests [[call id, number]]};
--       a rate is [limit, window in ms]; a limit of -1 is none, 0 blocks.
-- Returns {'no_redis'} | {'fenced'} | {'epoch', the present one}
--       | {'ok', for each request {'permit', node} or {reason, µs until the next request}}.
local TOLERANCE = 20000 -- µs by which a call may come before its turn: so a late asker catches up
local STEP = 1000000 -- µs by which the clock may go back before its past is no longer believed
local DAY = 86400000000
local SLOT_WAIT, NUMBER_WAIT, BLOCKED_WAIT = 100000, 1000000, 1000000
local FIXED = 14

local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('EXISTS', KEYS[3]) == 1 then
  return {'fenced'}
end
local now = clock()
local seen = tonumber(redis.call('GET', KEYS[4]) or 0)
if now < seen - STEP then
  redis.call('DEL', KEYS[1])
  return {'no_redis'}
end
redis.call('SET', KEYS[4], math.max(now, seen), 'PX', job.keep)
local lapse = math.floor(now / 1000) + job.lease
local day = math.floor(now / DAY)

-- Slots -------------------------------------------------------------------------------------------------------------

-- Sweeping a slot whose permit is still held would grant its place twice: its dialer may live and have failed to renew
-- it, while another kept the epoch. The rows of the calls are asked then. All slots of a permit lapse at one time, so
-- what the tenant's, the gateway's and the nodes' say before the first grant says it of the numbers' too.
local lapsed_in_use = false

local function slots(key, limit, reason, wait)
  local time = math.floor(now / 1000)
  local lapsed = redis.call('ZRANGEBYSCORE', key, '-inf', time)
  for _, id in ipairs(lapsed) do
    lapsed_in_use = lapsed_in_use or redis.call('HEXISTS', KEYS[5], id) == 1
  end
  if #lapsed > 0 and not lapsed_in_use then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', time)
  end
  return {key = key, limit = limit, used = redis.call('ZCARD', key), reason = reason, wait = wait or SLOT_WAIT}
end

local function has_room(scope, id)
  if scope.limit < 0 or scope.used < scope.limit then
    return true
  end
  return scope.limit > 0 and redis.call('ZSCORE', scope.key, id)
end

local function take(scope, id)
  scope.used = scope.used + redis.call('ZADD', scope.key, lapse, id)
  if not scope.kept then
    redis.call('PEXPIRE', scope.key, job.keep)
    scope.kept = true
  end
end

-- Rates: an exact log of the window, and for smoothness the time at which the next call is due (GCRA) ----------------

local function refresh(rate)
  rate.used = redis.call('ZCARD', rate.key)
  rate.last = tonumber(redis.call('ZREVRANGE', rate.key, 0, 0, 'WITHSCORES')[2])
  local noted = rate.due or tonumber(redis.call('HGET', KEYS[8], rate.key) or 0)
  rate.due = 0
  if rate.last then
    -- What the log says wins over what was noted: after a changed limit, a rebuild, or entries taken back.
    local next_turn = rate.last + rate.interval
    rate.due = math.max(next_turn, math.min(noted, next_turn + TOLERANCE))
  end
end

local function rates(key, limit, reason)
  local rate = {key = key, limit = limit[1], window = limit[2] * 1000, interval = 0, reason = reason}
  if rate.limit > 0 then
    rate.interval = rate.window / rate.limit
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - rate.window)
  refresh(rate)
  return rate
end

-- When one more call fits after all that are in the log, those to come included.
local function free_at(rate)
  if rate.limit < 0 then
    return now
  end
  local at = math.max(now, rate.due - TOLERANCE)
  if rate.used >= rate.limit then
    local edge = redis.call('ZREVRANGE', rate.key, rate.limit - 1, rate.limit - 1, 'WITHSCORES')
    at = math.max(at, tonumber(edge[2]) + rate.window)
  end
  return at
end

-- When one more call fits beside those admitted until now: for a call whose turn has come.
local function fits_at(rate)
  if rate.limit < 0 then
    return now
  end
  local edge = redis.call('ZREVRANGEBYSCORE', rate.key, now, '-inf', 'WITHSCORES', 'LIMIT', rate.limit - 1, 1)
  return math.max(now, edge[2] and tonumber(edge[2]) + rate.window or 0)
end

local function stamp(rate, id, at)
  rate.used = rate.used + redis.call('ZADD', rate.key, at, id)
  rate.last = math.max(rate.last or 0, at)
  local next_turn = rate.last + rate.interval
  rate.due = math.min(math.max(rate.due, at) + rate.interval, next_turn + TOLERANCE)
  rate.stamped = true
end

local function note(rate)
  if rate.stamped then
    redis.call('HSET', KEYS[8], rate.key, rate.due)
    redis.call('PEXPIRE', rate.key, math.ceil((rate.last - now + 2 * rate.window) / 1000))
  end
end

-- The latest of the times at which each rate admits, and which one it is.
local function latest(list, when)
  local at, reason = now, nil
  for _, rate in ipairs(list) do
    local time = when(rate)
    if time > at then
      at, reason = time, rate.reason
    end
  end
  return at, reason
end

-- Scopes that all requests share --------------------------------------------------------------------------------------

local campaign = slots(KEYS[10], job.concurrency, 'campaign_concurrency')
local tenant = slots(KEYS[11], job.concurrent, 'tenant_concurrency')
local channels = slots(KEYS[12], job.channels, 'gateway_channels')
local minute = rates(KEYS[13], job.rate, 'tenant_minute')
local cps = rates(KEYS[14], job.gateway_rate, 'gateway_cps')
local nodes, by_name = {}, {}
for i, node in ipairs(job.nodes) do
  local key = FIXED + 2 * i
  nodes[i] = {
    name = node[1],
    slots = slots(KEYS[key - 1], node[2], 'node_channels'),
    rate = rates(KEYS[key], node[3], 'node_cps'),
  }
  by_name[node[1]] = nodes[i]
end
if lapsed_in_use then
  redis.call('DEL', KEYS[1])
  return {'no_redis'}
end
local calls = tonumber(redis.call('HGET', KEYS[9], day .. ':calls') or 0)
local seconds = tonumber(redis.call('HGET', KEYS[9], day .. ':seconds') or 0)

local function write(id, record)
  redis.call('HSET', KEYS[5], id, cjson.encode(record))
end

-- A slot has no known time; a rate has.
local function denied(reason, wait)
  return {reason, math.ceil(wait)}
end

local function late(rate)
  if rate.limit == 0 then
    return denied(rate.reason, BLOCKED_WAIT)
  end
  local at = free_at(rate)
  if at > now then
    return denied(rate.reason, at - now)
  end
end

local function full(scope, id)
  if not has_room(scope, id) then
    return denied(scope.reason, scope.limit == 0 and BLOCKED_WAIT or scope.wait)
  end
end

local function day_spent()
  if job.calls >= 0 and calls >= job.calls then
    return denied('tenant_day_calls', BLOCKED_WAIT)
  end
  if job.minutes >= 0 and seconds >= job.minutes * 60 then
    return denied('tenant_day_minutes', BLOCKED_WAIT)
  end
end

-- The first node with room, or why there is none: the soonest turn where a node has a channel to offer.
local function choose(id)
  local answer
  for _, node in ipairs(nodes) do
    local no = full(node.slots, id) or late(node.rate)
    if not no then
      return node
    end
    if not answer or no[1] == 'node_cps' and (answer[1] ~= 'node_cps' or no[2] < answer[2]) then
      answer = no
    end
  end
  return nil, answer or denied('no_node', SLOT_WAIT)
end

-- Requests --------------------------------------------------------------------------------------------------------------

local function reserve(id, number, number_slots)
  local no = full(campaign, id) or full(tenant, id) or late(minute) or day_spent() or late(cps)
    or full(channels, id) or full(number_slots, id)
  if no then
    return no
  end
  local node
  node, no = choose(id)
  if not node then
    return no
  end
  for _, scope in ipairs({campaign, tenant, channels, node.slots, number_slots}) do
    take(scope, id)
  end
  for _, rate in ipairs({minute, cps, node.rate}) do
    stamp(rate, id, now)
  end
  calls = redis.call('HINCRBY', KEYS[9], day .. ':calls', 1)
  redis.call('SADD', KEYS[6], id)
  local record = {
    o = job.dialer, c = job.campaign, t = job.tenant, g = job.gateway, n = node.name, p = number, d = day, a = job.ask,
  }
  write(id, record)
  return {'permit', node.name}
end

-- The permit of a call that holds one: its slots stay, its place in the rates moves to now, or to its next turn. A
-- turn given so is kept for it, or calls whose permits lapse would lose every race against new ones.
local function again(id, number_slots, record)
  local node = by_name[record.n]
  if not node then
    return denied('no_node', SLOT_WAIT)
  end
  local held = {campaign, tenant, channels, node.slots, number_slots}
  for _, scope in ipairs(held) do
    local no = full(scope, id)
    if no then
      return no
    end
  end
  local logs, turn = {minute, cps, node.rate}, nil
  for _, rate in ipairs(logs) do
    if rate.limit == 0 then
      return denied(rate.reason, BLOCKED_WAIT)
    end
    turn = turn or tonumber(redis.call('ZSCORE', rate.key, id) or nil)
  end
  if turn and turn > now then
    return denied(record.w or minute.reason, turn - now)
  end
  for _, rate in ipairs(logs) do
    redis.call('ZREM', rate.key, id)
    refresh(rate)
  end
  local in_turn = turn and now - turn <= job.life
  local at, reason = latest(logs, in_turn and fits_at or free_at)
  for _, rate in ipairs(logs) do
    stamp(rate, id, at)
  end
  for _, scope in ipairs(held) do
    take(scope, id)
  end
  record.a, record.w = job.ask, reason
  write(id, record)
  if reason then
    return denied(reason, at - now)
  end
  return {'permit', node.name}
end

local answers = {'ok'}
for i, request in ipairs(job.requests) do
  local id, number = request[1], request[2]
  local number_slots = slots(KEYS[FIXED + 2 * #nodes + i], 1, 'number_cap', NUMBER_WAIT)
  local raw = redis.call('HGET', KEYS[5], id)
  if raw then
    answers[i + 1] = again(id, number_slots, cjson.decode(raw))
  else
    answers[i + 1] = reserve(id, number, number_slots)
  end
end

note(minute)
note(cps)
for _, node in ipairs(nodes) do
  note(node.rate)
end
redis.call('SADD', KEYS[7], job.dialer)
for _, key in ipairs({KEYS[5], KEYS[6], KEYS[7], KEYS[8]}) do
  redis.call('PEXPIRE', key, job.keep)
end
redis.call('PEXPIRE', KEYS[9], 2 * DAY / 1000)
redis.call('HDEL', KEYS[9], (day - 2) .. ':calls', (day - 2) .. ':seconds')
return answers
