-- Mark a dialer so that it can neither renew nor acquire any more.
-- KEYS: 1 lease, 2 fenced, 3 members. ARGV: JSON {dialer, ttl (ms), keep (ms)}.
-- Returns {'ok', ms until the dialer's own lease has surely lapsed}.
local now = math.floor(clock() / 1000)
local lapsed = tonumber(redis.call('GET', KEYS[2]) or nil)
if not lapsed then
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    -- No lease. It has run out, if the server has not forgotten it: emptied, the list of members would be gone too; a server
    -- that came back from its disk has not been up for as long as a lease lasts.
    local up = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
    local known = redis.call('HEXISTS', KEYS[3], job.dialer) == 1
    left = known and up * 1000 > job.ttl + 1000 and 0 or job.ttl
  end
  lapsed = now + left
  redis.call('SET', KEYS[2], string.format('%d', lapsed), 'PX', job.keep)
end
return {'ok', math.max(0, math.min(lapsed - now, job.ttl))}
