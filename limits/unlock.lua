-- Give up a rebuild. KEYS: 1 rebuilding. ARGV: JSON {token}. Only the holder's own lock goes.
if redis.call('GET', KEYS[1]) == job.token then
  redis.call('DEL', KEYS[1])
end
return {'ok'}
