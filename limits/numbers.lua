-- How often one number may be called, in front of acquire.lua: the log of its calls, which other than what lapses with an
-- epoch stays for as long as a cap looks back, and when the last of them ended. A tenant without such caps has neither.
-- How far both are whole stands in the hash of the tenant's day, which is of this epoch: `number_log` and `number_rest`,
-- in ms. Where that is not far enough nobody of the tenant is called until a dialer has read the rows.
local UNKNOWN_WAIT = 500000
local LONGEST_MEMORY = 30 * 86400000 + 60000 -- ms; no cap on numbers looks back further
local now_ms = math.floor(now / 1000)

-- `given`: {the least ms between two calls, [[limit, window in ms] ...], how far back single calls have windows, in ms,
-- where that is}, nil where there are none. Calls that count are
-- not logged then, so what was whole is so no more.
local function number_rules(uses, given, log, rest, filling)
  if not given then
    if log or rest or filling then
      redis.call('HDEL', uses, 'number_log', 'number_rest', 'number_fill')
    end
    return nil
  end
  local rules = {gap = given[1], caps = given[2], longest = given[3] or 0}
  for _, cap in ipairs(rules.caps) do
    rules.longest = math.max(rules.longest, cap[2])
  end
  local logged = tonumber(log or 0)
  rules.whole = logged >= rules.longest and tonumber(rest or -1) >= rules.gap
  -- What is read just now may be of a longer time than any that we know of.
  rules.keep = filling and LONGEST_MEMORY or math.max(rules.longest, logged)
  if rules.longest == 0 and (logged > 0 or filling) then
    rules.unlogged = uses
  end
  return rules
end

-- The µs until a number may be called, nil where it may be now; and 2 where that is not known. `own`: windows of this
-- call alone.
local function number_wait(rules, log, rest, own)
  if not rules.whole then
    return UNKNOWN_WAIT, 2
  end
  local wait = 0
  if rules.gap > 0 then
    local ended = tonumber(redis.call('GET', rest) or nil)
    wait = ended and math.max(0, ended + rules.gap - now_ms) or 0
  end
  for _, caps in ipairs({rules.caps, own or {}}) do
    for _, cap in ipairs(caps) do
      local edge = redis.call('ZREVRANGE', log, cap[1] - 1, cap[1] - 1, 'WITHSCORES')[2]
      if edge then
        wait = math.max(wait, tonumber(edge) + cap[2] - now_ms)
      end
    end
  end
  if wait > 0 then
    return wait * 1000
  end
end

-- Who knows of a gap alone logs nothing: the log is whole no more, and what is being read of it is void.
local function log_number(rules, log, id, at)
  if rules.unlogged then
    redis.call('HDEL', rules.unlogged, 'number_log', 'number_fill')
    rules.unlogged = nil
  elseif rules.longest > 0 then
    redis.call('ZREMRANGEBYSCORE', log, '-inf', now_ms - rules.keep)
    redis.call('ZADD', log, math.floor(at / 1000), id)
    redis.call('PEXPIRE', log, rules.keep)
  end
end
