-- Release what permits hold: for calls that are over, and for those never sent. Doing it twice changes nothing.
-- KEYS: 1 epoch, 2 ended_while_down, 3 permits (absent where the caller knows no epoch);
--       for each item: held by its owner, the tenant's day, slots of campaign, tenant, gateway, node and number, rates
--       of tenant, gateway and node, slots of the second leg's gateway, or of the first's where there is none
--       (`slot_keys`, `rate_keys` and `second_leg_slots` of PermitRecord), the log of its number and when the last call to
--       that ended (numbers.lua).
-- ARGV: JSON {epoch, notes [[call id, billed seconds, -1 for never sent]], items [[call id, record, seconds, day, 1 where it
--       rang, was answered or nobody knows]]}.
-- Returns {'noted'}: no epoch, whoever rebuilds will heed it | {'epoch', the present one}
--       | {'ok', ids whose record is another by now ...}.
local NOTE_LIFE = 600000
local DAYS = 172800000
local WIDTH = 13

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

local function release(base, id, seconds, day, reached)
  redis.call('HDEL', KEYS[3], id)
  redis.call('SREM', KEYS[base + 1], id)
  for k = 3, 7 do
    redis.call('ZREM', KEYS[base + k], id)
  end
  redis.call('ZREM', KEYS[base + 11], id .. ':b')
  local uses = KEYS[base + 2]
  if not reached then
    redis.call('ZREM', KEYS[base + 12], id)
  else
    local gap = tonumber(redis.call('HGET', uses, 'number_rest') or 0)
    if gap > 0 then
      redis.call('SET', KEYS[base + 13], math.floor(clock() / 1000), 'PX', gap)
    end
  end
  if seconds > 0 then
    redis.call('HINCRBY', uses, day .. ':seconds', seconds)
    redis.call('PEXPIRE', uses, DAYS)
  elseif seconds < 0 then
    for k = 8, 10 do
      redis.call('ZREM', KEYS[base + k], id)
    end
    if redis.call('HEXISTS', uses, day .. ':calls') == 1 then
      redis.call('HINCRBY', uses, day .. ':calls', -1)
    end
  end
end

local answer = {'ok'}
for i, item in ipairs(job.items) do
  local raw = redis.call('HGET', KEYS[3], item[1])
  if raw == item[2] then
    release(3 + (i - 1) * WIDTH, item[1], item[3], item[4], item[5] == 1)
  elseif raw then
    answer[#answer + 1] = item[1]
  end
end
return answer
