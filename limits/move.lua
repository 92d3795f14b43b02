-- Put permits into another dialer's hands.
-- KEYS: 1 epoch, 2 permits, 3 held by the old owner, 4 held by the new one, 5 holders.
-- ARGV: JSON {epoch, dialer (the new owner), keep (ms), items [[call id, record, new record]]}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok'}; a record that changed in between is left alone.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
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
