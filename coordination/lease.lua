-- Become a member, or stay one. A fenced id, and one whose lease has lapsed, never comes back.
-- KEYS: 1 lease, 2 fenced, 3 members. ARGV: JSON {dialer, info, ttl (ms), new}.
-- Returns {'ok'} | {'fenced'}.
if redis.call('EXISTS', KEYS[2]) == 1 or not job.new and redis.call('EXISTS', KEYS[1]) == 0 then
  return {'fenced'}
end
redis.call('SET', KEYS[1], '1', 'PX', job.ttl)
redis.call('HSET', KEYS[3], job.dialer, job.info)
return {'ok'}
