-- What tenants, gateways and nodes use now.
-- KEYS: 1 epoch, then of each tenant its slots, its rate and its day, then of each gateway or node its slots and its
--       rate. ARGV: JSON {epoch, tenants = how many tenants there are}.
-- Returns {'no_redis'} | {'epoch', the present one} | {'ok', of each tenant {live calls, calls in the last minute, the
--       day's calls, the day's seconds}, then of each of the others {live calls, calls in the last second}}.
local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
local now = clock()
local day = math.floor(now / 86400000000)
local live = string.format('(%d', now / 1000)

local function within(key, window)
  return redis.call('ZCOUNT', key, string.format('(%.0f', now - window), now)
end

local found = {'ok'}
local behind = 1 + 3 * job.tenants
for at = 2, behind, 3 do
  local spent = redis.call('HMGET', KEYS[at + 2], day .. ':calls', day .. ':seconds')
  found[#found + 1] = {
    redis.call('ZCOUNT', KEYS[at], live, '+inf'),
    within(KEYS[at + 1], 60000000),
    tonumber(spent[1] or 0),
    tonumber(spent[2] or 0),
  }
end
for at = behind + 1, #KEYS, 2 do
  found[#found + 1] = {redis.call('ZCOUNT', KEYS[at], live, '+inf'), within(KEYS[at + 1], 1000000)}
end
return found
