-- Count one request of a tenant, and note it as in flight.
-- KEYS: 1 counts (a hash), 2 in flight (a sorted set of request ids by their expiry).
-- ARGV: request id, in flight at most, lease (s), then for each window its length (s) and the most in it.
-- Returns {0, 0} when admitted | {n, s until the next} for the n-th window exceeded | {-1, 1} for too many in flight.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return {-1, 1} end
local windows = (#ARGV - 3) / 2
for i = 1, windows do
  local size = tonumber(ARGV[2 + i * 2])
  local start = now - now % size
  if redis.call('HGET', KEYS[1], 's' .. i) ~= tostring(start) then
    redis.call('HSET', KEYS[1], 's' .. i, start, 'n' .. i, 0)
  elseif tonumber(redis.call('HGET', KEYS[1], 'n' .. i)) >= tonumber(ARGV[3 + i * 2]) then
    return {i, start + size - now}
  end
end
for i = 1, windows do redis.call('HINCRBY', KEYS[1], 'n' .. i, 1) end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('EXPIRE', KEYS[2], tonumber(ARGV[3]))
return {0, 0}
