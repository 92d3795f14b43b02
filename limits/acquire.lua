-- One decision over every cap for a batch of calls, of any campaigns: for each the next instant, its turn, at which every
-- rate allows it. Asking again with the same call id never counts twice.
-- KEYS: 1 epoch, 2 the dialer's lease, 3 its fence, 4 clock, 5 permits, 6 held by the dialer, 7 holders, 8 next_due;
--       for each tenant its day, its slots, its rate and the slots of its single calls; for each campaign its slots; for each gateway its slots and its
--       rate; for each node its slots and its rate; for each request the slots of its number with its tenant, and where
--       that has caps on numbers its number's log and when its last call ended.
-- ARGV: JSON {epoch, dialer, ask, lease (ms), keep (ms), life (µs), lead (µs), horizon (µs),
--       tenants [[id, concurrent, rate, calls, minutes, places kept for single calls, its caps on numbers where it has any
--       (numbers.lua)]], campaigns [[id, tenant, concurrency, 1 where it is of single calls]],
--       gateways [[id, channels, rate]], nodes [[name, channels, rate]],
--       asked {one list for each part of the requests: ids, numbers, campaigns, gateways, offered (which of `offers`, the lists
--       of nodes); and by the place of a request, as text, where it is so: may_have_left (an order of it), second_legs
--       (that one's gateway), windows (of its number, of this call alone)}}, in which tenants, campaigns, gateways and
--       nodes are named by their place, from 1 on; a rate is [limit, window in ms]; a limit of -1 is none, 0 blocks.
--       A turn lies between `lead` from now, before which its call cannot be ready, and `horizon` after that.
-- Returns {'no_redis'} | {'fenced'} | {'epoch', the present one}
--       | {'ok', now in µs, for each request three values: 'permit', node, µs from now to its turn; or reason, µs until the
--       next request, 1 where it is the second leg's gateway that is full, 2 where the calls of its tenant's numbers are
--       not known, 0 otherwise}.
local STEP = 1000000 -- µs by which the clock may go back before its past is no longer believed
local DAY = 86400000000
local BLOCKED_WAIT = 1000000
local FIXED = 8

local epoch = whole(KEYS[1])
if not epoch then
  return {'no_redis'}
end
if epoch ~= job.epoch then
  return {'epoch', epoch}
end
if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('EXISTS', KEYS[3]) == 1 then
  return {'fenced'}
end
local seen = tonumber(redis.call('GET', KEYS[4]) or 0)
if now < seen - STEP then
  redis.call('DEL', KEYS[1])
  return {'no_redis'}
end
redis.call('SET', KEYS[4], math.max(now, seen), 'PX', job.keep)
local day = math.floor(now / DAY)
-- No turn lies behind midnight: it would count for a day that is not its own.
local last_turn = math.min(soonest + job.horizon, (day + 1) * DAY - 1)

-- Scopes that requests share -------------------------------------------------------------------------------------------

local place = FIXED
local function key()
  place = place + 1
  return KEYS[place]
end

-- The slots of a tenant's single calls, of which there is no limit of their own; nil where no place is kept for them.
local function kept_for(path, reserved)
  return reserved > 0 and slots(path, -1, 'campaign_concurrency') or nil
end

local tenants, campaigns, gateways, nodes, by_name = {}, {}, {}, {}, {}
for i, tenant in ipairs(job.tenants) do
  local uses = key()
  local spent = redis.call('HMGET', uses, day .. ':calls', day .. ':seconds', 'number_log', 'number_rest',
    'number_fill')
  tenants[i] = {
    id = tenant[1],
    uses = uses,
    slots = slots(key(), tenant[2], 'tenant_concurrency'),
    rate = rates(key(), tenant[3], 'tenant_minute'),
    single = kept_for(key(), tenant[6]),
    reserved = tenant[6],
    most_calls = tenant[4],
    most_seconds = tenant[5] < 0 and -1 or tenant[5] * 60,
    calls = tonumber(spent[1] or 0),
    more = 0,
    seconds = tonumber(spent[2] or 0),
    numbers = number_rules(uses, tenant[7], spent[3], spent[4], spent[5]),
  }
end
for i, campaign in ipairs(job.campaigns) do
  local tenant, path, single = tenants[campaign[2]], key(), campaign[4] == 1
  campaigns[i] = {
    id = campaign[1],
    tenant = tenant,
    single = single,
    slots = single and tenant.single or slots(path, campaign[3], 'campaign_concurrency'),
  }
end
for i, gateway in ipairs(job.gateways) do
  gateways[i] = {
    id = gateway[1],
    slots = slots(key(), gateway[2], 'gateway_channels'),
    rate = rates(key(), gateway[3], 'gateway_cps'),
  }
end
for i, node in ipairs(job.nodes) do
  nodes[i] = {
    name = node[1],
    slots = slots(key(), node[2], 'node_channels'),
    rate = rates(key(), node[3], 'node_cps'),
  }
  by_name[node[1]] = nodes[i]
end
if lapsed_in_use then
  redis.call('DEL', KEYS[1])
  return {'no_redis'}
end

local asked = job.asked
local ids, held_before, records, writes, granted = asked.ids, {}, {}, {}, {}
for i, raw in ipairs(redis.call('HMGET', KEYS[5], unpack(ids))) do
  held_before[ids[i]] = raw or nil
end

-- The record of a call that holds a permit.
local function record_of(id)
  local raw = held_before[id]
  if raw and not records[id] then
    records[id] = cjson.decode(raw)
  end
  return records[id]
end

local function write(id, raw)
  held_before[id] = raw
  writes[#writes + 1], writes[#writes + 2] = id, raw
end

-- A name as it stands in a record: the same few in all of a batch.
local texts = {}
local function text(name)
  local found = texts[name]
  if not found then
    found = cjson.encode(name)
    texts[name] = found
  end
  return found
end
local record_end = ',"o":' .. text(job.dialer) .. ',"d":' .. string.format('%.0f', day) .. ',"a":' .. job.ask .. '}'

-- A slot has no known time; a rate has.
local function denied(reason, wait)
  return {reason, math.ceil(wait)}
end

-- Without a reason it is midnight that has to pass.
local function too_late(reason, at)
  if at > last_turn then
    return denied(reason or 'tenant_minute', at - last_turn)
  end
end

local function late(rate)
  if rate.limit == 0 then
    return denied(rate.reason, BLOCKED_WAIT)
  end
  return too_late(rate.reason, fits_at(rate, soonest))
end

local function full(scope, id, before)
  if not has_room(scope, id, before) then
    return denied(scope.reason, scope.limit == 0 and BLOCKED_WAIT or scope.wait)
  end
end

-- A campaign leaves free what is kept for single calls and not taken by them.
local function tenant_full(campaign, id)
  local tenant, kept = campaign.tenant, 0
  if tenant.single and not campaign.single then
    kept = math.max(0, tenant.reserved - tenant.single.used)
  end
  return full(tenant.slots, id, kept)
end

-- Of the second leg, whose gateway may be the first leg's too: then that one takes `before` slots first.
local function full_for_second(second, id, before)
  local no = second and full(second.slots, second_leg(id), before)
  if no then
    no[3] = 1
  end
  return no
end

local function day_spent(tenant)
  if tenant.most_calls >= 0 and tenant.calls >= tenant.most_calls then
    return denied('tenant_day_calls', BLOCKED_WAIT)
  end
  if tenant.most_seconds >= 0 and tenant.seconds >= tenant.most_seconds then
    return denied('tenant_day_minutes', BLOCKED_WAIT)
  end
end

-- The logs that a call is in; the same few lists in all of a batch.
local lists = {}
local function logs_of(tenant, gateway, node)
  local by_tenant = lists[tenant] or {}
  local by_gateway = by_tenant[gateway] or {}
  lists[tenant], by_tenant[gateway] = by_tenant, by_gateway
  local logs = by_gateway[node or 1]
  if not logs then
    logs = {tenant.rate, gateway.rate, node and node.rate}
    by_gateway[node or 1] = logs
  end
  return logs
end

-- Of the nodes with room the one by which the call's turn is soonest, the first of those that are equal, and the turn; or
-- why there is none: the soonest turn where a node has a channel to offer.
local function choose(id, offered, tenant, gateway)
  local at_best, why = all_fit_at(logs_of(tenant, gateway), soonest)
  local best, best_at, answer
  for i = 1, #offered do
    local node = nodes[offered[i]]
    local no = full(node.slots, id) or late(node.rate)
    if not no then
      local at, reason = all_fit_at(logs_of(tenant, gateway, node), at_best)
      no = too_late(reason or why, at)
      if not no and (not best or at < best_at) then
        best, best_at = node, at
      end
      if best_at == at_best then
        break
      end
    end
    if no and (not answer or no[1] ~= 'node_channels' and (answer[1] == 'node_channels' or no[2] < answer[2])) then
      answer = no
    end
  end
  return best, best_at, answer or denied('no_node', SLOT_WAIT)
end

local function called_too_often(tenant, log, rest, own)
  if tenant.numbers then
    local wait, unknown = number_wait(tenant.numbers, log, rest, own)
    return wait and {'number_cap', wait, unknown}
  end
end

-- Requests --------------------------------------------------------------------------------------------------------------

-- Why not, or else nil, the node and the µs from now to the turn.
local function reserve(id, number, campaign, gateway, second, offered, number_slots, log, rest, own)
  local tenant = campaign.tenant
  local no = full(campaign.slots, id) or tenant_full(campaign, id) or late(tenant.rate) or day_spent(tenant)
    or late(gateway.rate) or full(gateway.slots, id) or full_for_second(second, id, second == gateway and 1 or 0)
    or full(number_slots, id) or called_too_often(tenant, log, rest, own)
  if no then
    return no
  end
  local node, at, why = choose(id, offered, tenant, gateway)
  if not node then
    return why
  end
  take(campaign.slots, id)
  take(tenant.slots, id)
  take(gateway.slots, id)
  take(node.slots, id)
  take_number(number_slots, id)
  if second then
    take(second.slots, second_leg(id))
  end
  stamp(tenant.rate, id, at)
  stamp(gateway.rate, id, at)
  stamp(node.rate, id, at)
  if tenant.numbers then
    log_number(tenant.numbers, log, id, at)
  end
  tenant.calls, tenant.more = tenant.calls + 1, tenant.more + 1
  granted[#granted + 1] = id
  write(id, '{"c":' .. text(campaign.id) .. ',"t":' .. text(tenant.id) .. ',"g":' .. text(gateway.id) .. ',"n":'
    .. text(node.name) .. ',"p":' .. text(number) .. (second and ',"b":' .. text(second.id) or '') .. record_end)
  return nil, node.name, at - now
end

-- The turn of a call that had one at `turn`, out of the logs by now: the same while it lasts, at `soonest` if that is
-- later and whole, else the next; and what it waits for.
local function next_turn(logs, turn)
  if turn and soonest - turn <= job.life then
    local from = math.max(soonest, turn)
    if all_whole_at(logs, from) then
      return from
    end
    if now - turn <= job.life and all_whole_at(logs, turn) then
      return turn
    end
  end
  return all_fit_at(logs, soonest)
end

-- The permit of a call that holds one: its slots stay, its place in the rates moves to its next turn. A turn that is
-- too far off to be told yet is kept for it, or calls whose permits lapse would lose every race against new ones. Of a
-- call of which an order may have left, that one's place stays in the rates as well, under a name that nobody gives back.
local function again(id, campaign, gateway, second, number_slots, log, record, may_have_left)
  local node, tenant = by_name[record.n], campaign.tenant
  if not node then
    return denied('no_node', SLOT_WAIT)
  end
  local held = {campaign.slots, tenant.slots, gateway.slots, node.slots, number_slots}
  local no = tenant_full(campaign, id)
  if no then
    return no
  end
  for _, scope in ipairs(held) do
    no = full(scope, id)
    if no then
      return no
    end
  end
  no = full_for_second(second, id)
  if no then
    return no
  end
  local logs, turn = logs_of(tenant, gateway, node), nil
  for _, rate in ipairs(logs) do
    if rate.limit == 0 then
      return denied(rate.reason, BLOCKED_WAIT)
    end
    settle(rate)
    turn = turn or tonumber(redis.call('ZSCORE', rate.key, id) or nil)
  end
  if turn and turn > last_turn then
    return denied(record.w or tenant.rate.reason, turn - last_turn)
  end
  for _, rate in ipairs(logs) do
    local left = may_have_left and redis.call('ZSCORE', rate.key, id)
    redis.call('ZREM', rate.key, id)
    if left and tonumber(left) <= now then
      redis.call('ZADD', rate.key, left, id .. ':' .. job.ask)
    end
    refresh(rate)
  end
  local at, reason = next_turn(logs, turn)
  for _, rate in ipairs(logs) do
    stamp(rate, id, at)
  end
  if tenant.numbers then
    log_number(tenant.numbers, log, id, at)
  end
  for _, scope in ipairs(held) do
    renew(scope, id)
  end
  if second then
    renew(second.slots, second_leg(id))
    -- A dialer of an older release that took the call over left it out.
    record.b = second.id
  end
  record.a, record.w = job.ask, reason
  write(id, cjson.encode(record))
  return too_late(reason, at), node.name, at - now
end

-- Where the keys of a request stand: the slots of its number, and behind them its number's log and rest.
local number_places, number_keys = {}, {}
for i = 1, #ids do
  number_keys[i] = key()
  number_places[i] = place
  if campaigns[asked.campaigns[i]].tenant.numbers then
    place = place + 2
  end
end
local nobody_called = redis.call('EXISTS', unpack(number_keys)) == 0

local answers = {'ok', now}
for i, id in ipairs(ids) do
  local at, number = tostring(i), asked.numbers[i]
  local campaign, gateway, second = campaigns[asked.campaigns[i]], gateways[asked.gateways[i]], gateways[asked.second_legs[at]]
  local number_slots, log, rest = number_slot(number_keys[i], nobody_called), nil, nil
  if campaign.tenant.numbers then
    log, rest = KEYS[number_places[i] + 1], KEYS[number_places[i] + 2]
  end
  local record, no, node, ahead = record_of(id), nil, nil, nil
  if record then
    no, node, ahead = again(id, campaign, gateway, second, number_slots, log, record, asked.may_have_left[at])
  else
    no, node, ahead = reserve(id, number, campaign, gateway, second, asked.offers[asked.offered[i]], number_slots, log,
      rest, asked.windows[at])
  end
  local k = 3 * i
  if no then
    answers[k], answers[k + 1], answers[k + 2] = no[1], no[2], no[3] or 0
  else
    answers[k], answers[k + 1], answers[k + 2] = 'permit', node, ahead
  end
end

for _, tenant in ipairs(tenants) do
  write_slots(tenant.slots)
  note(tenant.rate)
  if tenant.more > 0 then
    redis.call('HINCRBY', tenant.uses, day .. ':calls', tenant.more)
    redis.call('PEXPIRE', tenant.uses, 2 * DAY / 1000)
  end
  if tenant.calls == tenant.more then
    redis.call('HDEL', tenant.uses, (day - 2) .. ':calls', (day - 2) .. ':seconds')
  end
end
for _, campaign in ipairs(campaigns) do
  write_slots(campaign.slots)
end
for _, list in ipairs({gateways, nodes}) do
  for _, one in ipairs(list) do
    write_slots(one.slots)
    note(one.rate)
  end
end
if #writes > 0 then
  redis.call('HSET', KEYS[5], unpack(writes))
end
if #granted > 0 then
  redis.call('SADD', KEYS[6], unpack(granted))
end
redis.call('SADD', KEYS[7], job.dialer)
for _, held in ipairs({KEYS[5], KEYS[6], KEYS[7], KEYS[8]}) do
  redis.call('PEXPIRE', held, job.keep)
end
return answers
