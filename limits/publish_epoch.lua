-- The last step of a rebuild: the new epoch becomes the present one, if the rebuilder still holds its lock, the
-- server is the one it wrote to, and it has heeded every call that ended in the meantime.
-- KEYS: 1 epoch, 2 rebuilding, 3 ended_while_down.
-- ARGV: JSON {token, epoch, run (of the server), epoch_life (ms), heeded [call ids]}.
-- Returns {'lost'} | {'more', call id, billed seconds, ...} | {'open'}.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('GET', KEYS[2]) ~= job.token or run ~= job.run then
  return {'lost'}
end
local heeded = {}
for _, id in ipairs(job.heeded) do
  heeded[id] = true
end
local ended, more = redis.call('HGETALL', KEYS[3]), {'more'}
for i = 1, #ended, 2 do
  if not heeded[ended[i]] then
    more[#more + 1] = ended[i]
    more[#more + 1] = ended[i + 1]
  end
end
if #more > 1 then
  return more
end
redis.call('SET', KEYS[1], job.epoch, 'PX', job.epoch_life)
redis.call('DEL', KEYS[2], KEYS[3])
return {'open'}
