-- Sells all of the seats to the user who holds them, or none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3]  -> user:{event}:user
-- KEYS[4…] -> seat:{event}:seat, one for each seat
-- ARGV[5]  -> caller, see event.lua
-- ARGV[6]  -> the order of the sale; it may be empty
-- ARGV[7]  -> 1: also write seats that the user has bought already, because WAIT waits only
--             for writes of its own connection (since Redis 7.2)
--
-- Returns {1, now}: all are sold to the user under the order, now or already. now is ms since
-- the epoch.
-- Returns {0, i, ttl, ...}: a conflict; nothing has changed. A pair for each seat that
-- conflicts: its place among the seats, from 1 on; and its time to live, ms, if another user
-- holds it; -1 if it is sold to another user; -2 if it is free; -4 if it is blocked; -5 if it is sold to the user
-- under another order.

local userSeats, order, rewrite = KEYS[3], ARGV[6], ARGV[7] == '1'
local user, request = parseCaller(ARGV[5])
local repeated = replay(request, rewrite)
if repeated then
  return repeated
end
local ids, keys, values, conflict = {}, {}, {}, {0}

for i, value in ipairs(call('MGET', unpack(KEYS, 4))) do
  local key = KEYS[i + 3]
  local owner, deadline, soldOrder = parse(value)
  if owner ~= user then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = ttl(KEYS[i + 3], owner, deadline)
  elseif soldOrder and soldOrder ~= order then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = -5
  elseif deadline then
    keys[#keys + 1], values[#values + 1] = key, soldValue(order, user)
    ids[#ids + 1] = sub(key, seatStart)
  elseif rewrite then
    keys[#keys + 1], values[#values + 1] = key, value
  end
end
if #conflict > 1 then
  return conflict
end

checkTypes(userSeats)
if #keys > 0 then
  -- PERSIST comes first: Redis runs it even when memory is full, and then all that follows.
  call('PERSIST', index)
end
for i, key in ipairs(keys) do
  call('SET', key, values[i]) -- removes the TTL, too
end
if #ids > 0 then
  addSeats(index, ids, '+inf')
  if limit > 0 then
    addSeats(userSeats, ids, '+inf')
    call('PERSIST', userSeats)
  end
  appendChange('sold', ids, 1, ownerFields(user, order))
  call('PERSIST', stream)
end
remember(request, {now})
return {1, now}
