-- Ends the user's sales of all of the seats, or of none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3…], ARGV[5…6]  -> see buy.lua
--
-- Returns {1, now}: none of the seats is sold to the user under the order; the seats are free,
-- now or already. now is ms since the epoch.
-- Returns {0, i, ttl, ...}: a conflict; nothing has changed. A pair for each seat that
-- conflicts: its place among the seats, from 1 on; and its time to live, ms, if it is held; -1
-- if it is sold to another user; -5 if it is sold to the user under another order.

local userSeats, order = KEYS[3], ARGV[6]
local user, request = parseCaller(ARGV[5])
local repeated = replay(request)
if repeated then
  return repeated
end
local ids, conflict = {}, {0}

for i, value in ipairs(call('MGET', unpack(KEYS, 4))) do
  local owner, deadline, soldOrder = parse(value)
  if owner == user and soldOrder == order then
    ids[#ids + 1] = sub(KEYS[i + 3], seatStart)
  elseif owner then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = owner == user and soldOrder and -5 or ttl(KEYS[i + 3], owner, deadline)
  end
end
if #conflict > 1 then
  return conflict
end

checkTypes(userSeats)
if #ids > 0 then
  for _, id in ipairs(ids) do
    call('DEL', seatPrefix .. id)
  end
  call('ZREM', index, unpack(ids))
  if limit > 0 then
    call('ZREM', userSeats, unpack(ids))
  end
  appendEnd('returned', ids, ownerFields(user, order))
end
remember(request, {now})
return {1, now}
