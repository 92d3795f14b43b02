-- Adds to a tenant's day the seconds that calls spoke, where they became known only after the permit was released.
-- Each call is added once, however often it is told.
-- KEYS: 1 epoch; for each item the tenant's day and the calls that were added to it so.
-- ARGV: JSON {epoch, keep (s), items [[call id, seconds]]}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok'}.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
local day = math.floor(clock() / 86400000000)
for i, item in ipairs(job.items) do
  local uses, added = KEYS[2 * i], KEYS[2 * i + 1]
  if redis.call('SADD', added, item[1]) == 1 then
    redis.call('HINCRBY', uses, string.format('%d:seconds', day), item[2])
    redis.call('EXPIRE', uses, job.keep)
  end
  redis.call('EXPIRE', added, job.keep)
end
return {'ok'}
