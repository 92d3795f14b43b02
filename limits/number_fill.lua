-- A tenant's numbers are whole as far back as its rows were read; nothing of it was called meanwhile that the log lacks.
-- KEYS: 1 epoch, 2 the tenant's day.
-- ARGV: JSON {epoch, token, begin (1 before the rows are read, 0 behind), log (ms), rest (ms), keep (ms)}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'void'}: whoever reads them now began later, or somebody who knows
-- of no cap was granted a call | {'ok'}.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
if job.begin == 1 then
  redis.call('HSET', KEYS[2], 'number_fill', job.token)
  -- The logs that are written live no longer than that, whether the reading comes to an end or not.
  if tonumber(redis.call('HGET', KEYS[2], 'number_log') or 0) > job.log then
    redis.call('HSET', KEYS[2], 'number_log', job.log)
  end
elseif redis.call('HGET', KEYS[2], 'number_fill') == job.token then
  redis.call('HSET', KEYS[2], 'number_log', job.log, 'number_rest', job.rest)
  redis.call('HDEL', KEYS[2], 'number_fill')
else
  return {'void'}
end
redis.call('PEXPIRE', KEYS[2], job.keep)
return {'ok'}
