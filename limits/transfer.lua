-- Put permits into another dialer's hands.
-- KEYS: 1 epoch, 2 permits, 3 held by the old owner, 4 held by the new one, 5 holders, 6 the new owner's lease,
--       7 its fence.
-- ARGV: JSON {epoch, dialer (the new owner), keep (ms), items [[call id, record, new record]]}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'fenced'} | {'ok'}; a record that changed in between is left
-- alone.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
-- Whoever takes over from the new owner has asked what it holds: what it took after that would be lost with it.
if redis.call('EXISTS', KEYS[6]) == 0 or redis.call('EXISTS', KEYS[7]) == 1 then
  return {'fenced'}
end
for _, item in ipairs(job.items) do
  if redis.call('HGET', KEYS[2], item[1]) == item[2] then
    redis.call('HSET', KEYS[2], item[1], item[3])
    redis.call('SREM', KEYS[3], item[1])
    redis.call('SADD', KEYS[4], item[1])
  end
end
redis.call('SADD', KEYS[5], job.dialer)
redis.call('PEXPIRE', KEYS[4], job.keep)
redis.call('PEXPIRE', KEYS[5], job.keep)
return {'ok'}
