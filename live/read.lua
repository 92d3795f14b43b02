-- One page of a campaign's stream after a cursor, or where the stream stands; both with proof of completeness.
-- KEYS: the campaign's stream, since and seen keys.
-- ARGV: cursor (an id, or '' for none), most entries to return, linger (s).
-- Returns {verdict, since, last id, entries}: verdict is 'reset' when the stream cannot be complete after the cursor
-- (too old, lost, or an id of another stream), else 'ok'.
local stream, since_key, seen = KEYS[1], KEYS[2], KEYS[3]
local cursor, count, linger = ARGV[1], ARGV[2], ARGV[3]

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function before(a, b)
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

local function last_id()
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
end

local since = redis.call('GET', since_key)
if not since or redis.call('EXISTS', stream) == 0 then
  -- Born here, so that a cursor taken before the first event is good: an entry that is deleted again leaves an empty
  -- stream that goes on from its id.
  since = redis.call('XADD', stream, '*', 'kind', 'birth')
  redis.call('XDEL', stream, since)
  redis.call('SET', since_key, since)
end
for k = 1, 3 do
  redis.call('EXPIRE', KEYS[k], linger)
end

local last = last_id()
if cursor == '' then
  return {'ok', since, last, {}}
end
if before(cursor, since) or before(last, cursor) then
  return {'reset', since, last, {}}
end
return {'ok', since, last, redis.call('XRANGE', stream, '(' .. cursor, '+', 'COUNT', count)}
