-- Keeps seats that are available for a channel: all of them, or none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3…] -> seat:{event}:seat, one for each seat
-- ARGV[5]  -> caller without a user, see event.lua
-- ARGV[6]  -> the channel
-- ARGV[7]  -> 1: makes the seats of the channel available again
--
-- Returns {1, now}: it is done, now or already; ms since the epoch.
-- Returns {0, i, ttl, ...}: a conflict; nothing has changed. A pair for each seat that
-- conflicts: its place among the seats, from 1 on; and its time to live, ms, if it is held; -1
-- if it is sold; -4 if it is kept for another channel.

-- How long the stream lasts without a hold or a sale, ms.
local streamTime = 3600000

local channel, unblock = ARGV[6], ARGV[7] == '1'
local _, request = parseCaller(ARGV[5])
local repeated = replay(request)
if repeated then
  return repeated
end
local ids = {}
for i = 3, #KEYS do
  ids[#ids + 1] = sub(KEYS[i], seatStart)
end
local values = call('MGET', unpack(KEYS, 3))
local channels = call('HMGET', blockedKey, unpack(ids))
local changed, conflict = {}, {0}
for i, id in ipairs(ids) do
  local owner, deadline = parse(values[i])
  if owner or channels[i] and channels[i] ~= channel then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = owner and ttl(KEYS[i + 2], owner, deadline) or -4
  elseif not channels[i] ~= unblock then
    changed[#changed + 1] = id
  end
end
if #conflict > 1 then
  return conflict
end
if #changed == 0 then
  remember(request, {now})
  return {1, now}
end

checkTypes()
for i, deadline in ipairs(call('ZMSCORE', index, unpack(changed))) do
  if deadline then -- of a hold whose key is gone: while the seat is as it was
    recordExpired(changed[i])
  end
end
if unblock then
  call('HDEL', blockedKey, unpack(changed))
else
  local pairsToSet = {}
  for _, id in ipairs(changed) do
    pairsToSet[#pairsToSet + 1] = id
    pairsToSet[#pairsToSet + 1] = channel
  end
  call('HSET', blockedKey, unpack(pairsToSet))
end
local count = call('HLEN', blockedKey)
if count > 0 then
  call('HSET', eventKey, 'blocked', count)
else
  call('HDEL', eventKey, 'blocked')
end
for first = 1, #changed, 100 do
  local part = {unpack(changed, first, math.min(first + 99, #changed))}
  appendChange(unblock and 'unblocked' or 'blocked', part, 1, 'channel', channel)
end
extendTTL(stream, not kept and call('XLEN', stream) == math.ceil(#changed / 100), now + streamTime)
remember(request, {now})
return {1, now}
