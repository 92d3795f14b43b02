-- Counts orders in their rates anew that were written and that their nodes have not carried out yet: such a call may
-- leave at any moment until this is said again, so it counts now and at the moment by which this is repeated.
-- KEYS: 1 epoch, 2 permits; for each item the rates of tenant, gateway and node.
-- ARGV: JSON {epoch, ahead (µs), keep (ms), items [[call id, record]]}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok'}; a call whose record changed in between is left alone.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
local now = clock()
local at = string.format('%.0f', now + job.ahead)
for i, item in ipairs(job.items) do
  if redis.call('HGET', KEYS[2], item[1]) == item[2] then
    for k = 1, 3 do
      local rate = KEYS[3 * i - 1 + k]
      redis.call('ZADD', rate, at, item[1], string.format('%.0f', now), item[1] .. ':owed')
      if redis.call('PTTL', rate) < job.keep then
        redis.call('PEXPIRE', rate, job.keep)
      end
    end
  end
end
return {'ok'}
