-- Extend the leases of one dialer's permits, and the epoch, which lapses before any lease does.
-- KEYS: 1 epoch, 2 permits, 3 holders, 4 held by the dialer, 5 next_due; for each call its 5 slots; for each of those
--       with a second leg the slots of that one's gateway.
-- ARGV: JSON {epoch, epoch_life (ms), lease (ms), keep (ms), ids, second [ids with a second leg]}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok'}; a call whose permit has gone is left alone.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
-- Written anew, and first: a server that is out of memory refuses this as it refuses the slots of others, so nobody
-- without calls keeps an epoch in which nobody else can renew.
redis.call('SET', KEYS[1], epoch, 'PX', job.epoch_life)
local lapse = math.floor(clock() / 1000) + job.lease
local function renew(slots, slot)
  redis.call('ZADD', slots, lapse, slot)
  redis.call('PEXPIRE', slots, job.keep)
end
for i, id in ipairs(job.ids) do
  if redis.call('HEXISTS', KEYS[2], id) == 1 then
    for k = 1, 5 do
      renew(KEYS[5 * i + k], id)
    end
  end
end
for i, id in ipairs(job.second) do
  if redis.call('HEXISTS', KEYS[2], id) == 1 then
    renew(KEYS[5 + 5 * #job.ids + i], id .. ':b')
  end
end
for k = 2, 5 do
  redis.call('PEXPIRE', KEYS[k], job.keep)
end
return {'ok'}
