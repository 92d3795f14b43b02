-- Append the transitions that are due, each once and in the order of its subject's versions.
-- KEYS: for each campaign its stream, its since and its seen key.
-- ARGV: retention (ms), linger (s), most entries, force (0 or 1); then for each transition:
--       number of its campaign (from 1), subject, version, data.
-- Returns one word for each transition: appended, duplicate or gap.
local retention, linger, most = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local force = ARGV[4] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- A hash born with a campaign's very first transition misses nothing: there, a subject without a version is new.
local WHOLE = '~whole'

local function append(base, subject, version, data, hole)
  local stream, since, seen = KEYS[base + 1], KEYS[base + 2], KEYS[base + 3]
  local lost = redis.call('EXISTS', stream, since) < 2
  if subject == 'campaign' and version == 1 and redis.call('EXISTS', seen) == 0 then
    redis.call('HSET', seen, WHOLE, '1')
  end
  local kind = subject == 'campaign' and 'campaign' or 'contact'
  local id
  if lost or hole then
    -- Whoever stands before this entry has missed something, and is told so by the mark and by `since`.
    id = redis.call('XADD', stream, '*', 'kind', kind, 'data', data, 'cut', '1')
    redis.call('SET', since, id)
  else
    id = redis.call('XADD', stream, '*', 'kind', kind, 'data', data)
  end
  redis.call('HSET', seen, subject, string.format('%d', version))
end

local function trim(base)
  local stream, since = KEYS[base + 1], KEYS[base + 2]
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
  local cutoff = now - retention
  -- A tenth late, so that a busy stream is trimmed in lumps and not with every batch.
  if first[1] and tonumber(string.match(first[1][1], '^%d+')) < cutoff - retention / 10 then
    local edge = string.format('%.0f-0', cutoff)
    local gone = redis.call('XREVRANGE', stream, '(' .. edge, '-', 'COUNT', 1)
    redis.call('XTRIM', stream, 'MINID', edge)
    redis.call('SET', since, gone[1][1])
  end
  if redis.call('XLEN', stream) > most * 1.1 then
    redis.call('XTRIM', stream, 'MAXLEN', most)
    redis.call('SET', since, redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1])
  end
end

local words, touched = {}, {}
for a = 5, #ARGV, 4 do
  local base = (tonumber(ARGV[a]) - 1) * 3
  local subject, version, data = ARGV[a + 1], tonumber(ARGV[a + 2]), ARGV[a + 3]
  local known = redis.call('HGET', KEYS[base + 3], subject)
  local due = version
  if known then
    due = tonumber(known) + 1
  elseif redis.call('HEXISTS', KEYS[base + 3], WHOLE) == 1 then
    due = 1
  end
  if version < due then
    words[#words + 1] = 'duplicate'
  elseif version == due or force then
    append(base, subject, version, data, version > due)
    touched[base] = true
    words[#words + 1] = 'appended'
  else
    words[#words + 1] = 'gap'
  end
end

for base, _ in pairs(touched) do
  trim(base)
  for k = 1, 3 do
    redis.call('EXPIRE', KEYS[base + k], linger)
  end
end
return words
