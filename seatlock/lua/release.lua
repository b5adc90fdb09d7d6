-- Ends the user's holds among the seats, or none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3…], ARGV[5]    -> see buy.lua
--
-- Returns {1, now}: the user holds none of the seats. A seat that is free or another user's
-- has not changed. now is ms since the epoch.
-- Returns {0, i, -1, ...}: a conflict; nothing has changed. A pair for each seat that is sold
-- to the user: its place among the seats, from 1 on; and -1.

local userSeats = KEYS[3]
local user, request = parseCaller(ARGV[5])
local repeated = replay(request)
if repeated then
  return repeated
end
local ids, conflict = {}, {0}

for i, value in ipairs(call('MGET', unpack(KEYS, 4))) do
  local owner, deadline = parse(value)
  if owner == user and deadline then
    ids[#ids + 1] = sub(KEYS[i + 3], seatStart)
  elseif owner == user then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = -1
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
  appendEnd('released', ids, ownerFields(user))
end
remember(request, {now})
return {1, now}
