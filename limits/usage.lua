-- What a tenant uses now.
-- KEYS: 1 epoch, 2 the tenant's slots, 3 its rate, 4 its day. ARGV: JSON {epoch}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok', live calls, calls in the last minute, the day's calls,
--       the day's seconds}.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
local now = clock()
local day = math.floor(now / 86400000000)
local spent = redis.call('HMGET', KEYS[4], day .. ':calls', day .. ':seconds')
return {
  'ok',
  redis.call('ZCOUNT', KEYS[2], string.format('(%d', now / 1000), '+inf'),
  redis.call('ZCOUNT', KEYS[3], string.format('(%.0f', now - 60000000), now),
  tonumber(spent[1] or 0),
  tonumber(spent[2] or 0),
}
