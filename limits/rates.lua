-- The logs of the rates, in front of acquire.lua: when one more call fits into each of them, and into several at once.
-- A log has the turn of every call, those to come included. No window of it ever holds more than its limit, and calls
-- come an interval apart (GCRA). A turn may lie ahead of others that are free: one tenant's late turn, a turn given
-- back, or one kept for a call whose permit lapsed leaves a gap, which the next call that it suits takes.
local TOLERANCE = 20000 -- µs by which a call may come before it is due: so a late asker catches up
local now = clock()
local soonest = now + job.lead

local function score(at)
  return string.format('%.0f', at)
end

-- Whether a call fits between two that follow each other, an interval after the one and hardly less before the other.
local function room_between(rate, before, after)
  return after - math.max(soonest, before + rate.interval) >= rate.room
end

local function add_gap(rate, place, before, after)
  if room_between(rate, before, after) then
    table.insert(rate.gaps, place, {before, after})
  end
end

-- The turns of a batch are written to a log once, and before anything is read of it. Until then one that was there
-- already counts twice.
local function settle(rate)
  local turns = rate.turns
  if turns then
    rate.turns = nil
    rate.used = rate.used - #turns / 2 + redis.call('ZADD', rate.key, unpack(turns))
  end
end

local function find_gaps(rate)
  rate.gaps = {}
  if rate.limit < 0 or not rate.last or rate.last <= soonest then
    return
  end
  local past = redis.call('ZREVRANGEBYSCORE', rate.key, score(soonest), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local before = tonumber(past[2]) or -math.huge
  local ahead = redis.call('ZRANGEBYSCORE', rate.key, '(' .. score(soonest), '+inf', 'WITHSCORES')
  for i = 2, #ahead, 2 do
    local after = tonumber(ahead[i])
    add_gap(rate, #rate.gaps + 1, before, after)
    before = after
  end
end

local function refresh(rate)
  settle(rate)
  rate.used = redis.call('ZCARD', rate.key)
  rate.last = tonumber(redis.call('ZREVRANGE', rate.key, 0, 0, 'WITHSCORES')[2])
  local noted = rate.due or tonumber(redis.call('HGET', KEYS[8], rate.key) or 0)
  rate.due, rate.free = 0, nil
  if rate.last then
    -- What the log says wins over what was noted: after a changed limit, a rebuild, or entries taken back.
    local next_turn = rate.last + rate.interval
    rate.due = math.max(next_turn, math.min(noted, next_turn + TOLERANCE))
  end
  find_gaps(rate)
end

local function rates(key, limit, reason)
  local rate = {key = key, limit = limit[1], window = limit[2] * 1000, interval = 0, reason = reason}
  if rate.limit > 0 then
    rate.interval = rate.window / rate.limit
  end
  rate.room = rate.interval - math.min(TOLERANCE, rate.interval / 4)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - rate.window)
  refresh(rate)
  return rate
end

-- Whether as many calls as the limit are in the log.
local function is_full(rate)
  if rate.used >= rate.limit then
    settle(rate)
  end
  return rate.used >= rate.limit
end

-- From when on one more call fits after all that are in the log.
local function free_at(rate)
  if not rate.free then
    local at = math.max(soonest, rate.due - TOLERANCE)
    if is_full(rate) then
      local edge = redis.call('ZREVRANGE', rate.key, rate.limit - 1, rate.limit - 1, 'WITHSCORES')
      at = math.max(at, tonumber(edge[2]) + rate.window)
    end
    rate.free = math.ceil(at)
  end
  return rate.free
end

-- The first instant from `at` on at which one more call leaves every window whole, those of the calls ahead too; nil
-- where those ahead leave no room for any before them.
local function whole_from(rate, at)
  if rate.limit < 0 or not is_full(rate) then
    return at
  end
  local ahead = redis.call('ZRANGEBYSCORE', rate.key, '(' .. score(at), '+inf', 'WITHSCORES')
  local most = #ahead / 2
  local nearest = math.max(rate.limit - most, 1)
  local past = redis.call('ZREVRANGEBYSCORE', rate.key, score(at), '-inf', 'WITHSCORES', 'LIMIT', nearest - 1,
    rate.limit - nearest + 1)
  local edge = tonumber(past[2 * (rate.limit - nearest + 1)])
  if edge then
    at = math.max(at, math.ceil(edge + rate.window))
  end
  for n = 1, most do
    local turn, back = tonumber(ahead[2 * n]), rate.limit - n
    -- Of the calls until this turn, as many as the limit, the one more included, have to lie within no window.
    local first = at
    if back > 0 then
      first = tonumber(past[2 * (back - nearest + 1)])
    end
    if first and turn - first < rate.window then
      return nil
    end
  end
  return at
end

-- The first instant from `from` on at which one more call fits, in a gap or after all others.
local function fits_at(rate, from)
  if rate.limit < 0 or from >= free_at(rate) then
    return from
  end
  for _, gap in ipairs(rate.gaps) do
    local at = math.ceil(math.max(from, gap[1] + rate.interval))
    if not gap.shut and gap[2] - at >= rate.room then
      at = whole_from(rate, at)
      if at and gap[2] - at >= rate.room then
        return at
      end
      gap.shut = not at
    end
  end
  return free_at(rate)
end

-- The first instant from `from` on that all of these logs allow, and the word for the one that moved it last.
local function all_fit_at(logs, from)
  local at, reason, before = from, nil, nil
  repeat
    before = at
    for i = 1, #logs do
      local time = fits_at(logs[i], at)
      if time > at then
        at, reason = time, logs[i].reason
      end
    end
  until at == before
  return at, reason
end

-- Whether a call may have its turn at `at` whatever is near: it had it before, or one that was hardly sooner.
local function all_whole_at(logs, at)
  for _, rate in ipairs(logs) do
    if whole_from(rate, at) ~= at then
      return false
    end
  end
  return true
end

local function stamp(rate, id, at)
  local turns = rate.turns or {}
  turns[#turns + 1], turns[#turns + 2] = at, id
  rate.turns, rate.used = turns, rate.used + 1
  rate.stamped, rate.free = true, nil
  local last = rate.last or -math.huge
  if at >= last then
    rate.due = math.min(math.max(rate.due, at), at + TOLERANCE) + rate.interval
    rate.last = at
    if rate.limit > 0 then
      add_gap(rate, #rate.gaps + 1, last, at)
    end
    return
  end
  for place, gap in ipairs(rate.gaps) do
    if gap[1] < at and at < gap[2] then
      table.remove(rate.gaps, place)
      add_gap(rate, place, at, gap[2])
      add_gap(rate, place, gap[1], at)
      return
    end
  end
end

local function note(rate)
  if rate.stamped then
    settle(rate)
    redis.call('HSET', KEYS[8], rate.key, rate.due)
    redis.call('PEXPIRE', rate.key, math.ceil((rate.last - now + 2 * rate.window) / 1000))
  end
end
