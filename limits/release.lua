-- Release what permits hold: for calls that are over, and for those never sent. Doing it twice changes nothing. What
-- several calls take out of one key is one command: a command for each would be most of what a release costs.
-- KEYS: 1 epoch, 2 ended_while_down, 3 permits (absent where the caller knows no epoch); behind them each key of the items
--       once.
-- ARGV: JSON {epoch, notes [[call id, billed seconds, -1 for never sent]], ids [call id ...], items [of each WIDTH values]}:
--       1 its record, 2 billed seconds, 3 its day, 4 1 where it rang, was answered or nobody knows, and the places among
--       KEYS of 5 what its owner holds, 6 the tenant's day, 7 to 11 the slots of campaign, tenant, gateway, node and number,
--       12 to 14 the rates of tenant, gateway and node (`slot_keys`, `rate_keys` of PermitRecord), 15 the slots of the
--       second leg's gateway, 0 where there is none, 16 the log of its number, or, of one that rang, when the last call
--       to that ended (numbers.lua).
-- Returns {'noted'}: no epoch, whoever rebuilds will heed it | {'epoch', the present one}
--       | {'ok', ids whose record is another by now ...}.
local NOTE_LIFE = 600000
local DAYS = 172800000
local WIDTH = 16

local epoch = whole(KEYS[1])
if not epoch then
  for _, call in ipairs(job.notes) do
    redis.call('HSET', KEYS[2], call[1], call[2])
  end
  redis.call('PEXPIRE', KEYS[2], NOTE_LIFE)
  return {'noted'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end

local items, over = job.items, {}
-- By the place of a key, what leaves it; by that of a tenant's day, what comes to each of its fields.
local slots, held, days, unsent, gaps = {}, {}, {}, {}, {}

local function leave(from, place, member)
  local members = from[place]
  if members then
    members[#members + 1] = member
  else
    from[place] = {member}
  end
end

local function count(of, place, field, more)
  local fields = of[place] or {}
  of[place] = fields
  fields[field] = (fields[field] or 0) + more
end

-- How long a number of the tenant is left alone after a call, in ms.
local function gap_of(place)
  gaps[place] = gaps[place] or tonumber(redis.call('HGET', KEYS[place], 'number_rest') or 0)
  return gaps[place]
end

local function release(base, id)
  local seconds, day = items[base + 2], items[base + 3]
  over[#over + 1] = id
  leave(held, items[base + 5], id)
  for k = 7, 10 do
    leave(slots, items[base + k], id)
  end
  redis.call('ZREM', KEYS[items[base + 11]], id)
  if items[base + 15] > 0 then
    leave(slots, items[base + 15], id .. ':b')
  end
  local history = KEYS[items[base + 16]]
  if items[base + 4] == 0 then
    redis.call('ZREM', history, id)
  else
    local gap = gap_of(items[base + 6])
    if gap > 0 then
      redis.call('SET', history, math.floor(clock() / 1000), 'PX', gap)
    end
  end
  if seconds > 0 then
    count(days, items[base + 6], day .. ':seconds', seconds)
  elseif seconds < 0 then
    for k = 12, 14 do
      leave(slots, items[base + k], id)
    end
    count(unsent, items[base + 6], day .. ':calls', 1)
  end
end

local answer = {'ok'}
if #job.ids > 0 then
  for i, raw in ipairs(redis.call('HMGET', KEYS[3], unpack(job.ids))) do
    local base, id = (i - 1) * WIDTH, job.ids[i]
    if raw == items[base + 1] then
      release(base, id)
    elseif raw then
      answer[#answer + 1] = id
    end
  end
end
if #over > 0 then
  redis.call('HDEL', KEYS[3], unpack(over))
end
for place, ids in pairs(held) do
  redis.call('SREM', KEYS[place], unpack(ids))
end
for place, ids in pairs(slots) do
  redis.call('ZREM', KEYS[place], unpack(ids))
end
for place, fields in pairs(days) do
  for field, seconds in pairs(fields) do
    redis.call('HINCRBY', KEYS[place], field, seconds)
  end
  redis.call('PEXPIRE', KEYS[place], DAYS)
end
for place, fields in pairs(unsent) do
  for field, calls in pairs(fields) do
    if redis.call('HEXISTS', KEYS[place], field) == 1 then
      redis.call('HINCRBY', KEYS[place], field, -calls)
    end
  end
end
return answer
