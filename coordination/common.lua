-- In front of every script whose argument is one JSON job. Times are Redis' own, in microseconds: exact in a double until 2255.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The epoch when the state is whole, else nil. An epoch that was built on another run of the server came back from a
-- disk or a replica with a state that may lack the last calls.
local function whole(key)
  local epoch = redis.call('GET', key)
  if not epoch then
    return nil
  end
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  if string.sub(epoch, -#run) ~= run then
    return nil
  end
  return epoch
end

local job = cjson.decode(ARGV[1])
