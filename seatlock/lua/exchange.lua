-- Moves the user's sales of all of the seats to as many other seats, or of none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3]  -> user:{event}:user
-- KEYS[4…] -> seat:{event}:seat, for each seat of the sales, and then for each new seat
-- ARGV[5]  -> caller, see event.lua
-- ARGV[6]  -> the order of the sales; it may be empty
-- ARGV[7]  -> see buy.lua
--
-- Returns {1, now}: the new seats are sold to the user under the order, now or already, and none
-- of the other seats is. now is ms since the epoch.
-- Returns {0, i, ttl, ...}: a conflict; nothing has changed. A pair for each seat that is not
-- sold to the user under the order, as in return.lua, with -2 if it is free and -4 if it is
-- blocked. If there is none, a pair for each new seat that is neither free nor held by the user,
-- as in buy.lua; -1 if it is sold to the user, too. i counts the seats in the order of KEYS.

local userSeats, order, rewrite = KEYS[3], ARGV[6], ARGV[7] == '1'
local user, request = parseCaller(ARGV[5])
local repeated = replay(request, rewrite)
if repeated then
  return repeated
end

local values = call('MGET', unpack(KEYS, 4))
local n = #values / 2
local from, to, notSold, notFree, sold = {}, {}, {0}, {0}, 0
for i, value in ipairs(values) do
  local key = KEYS[i + 3]
  local owner, deadline, soldOrder = parse(value)
  local isSold = owner == user and soldOrder == order
  local ids = i <= n and from or to
  ids[#ids + 1] = sub(key, seatStart)
  if i <= n and not isSold then
    notSold[#notSold + 1] = i
    notSold[#notSold + 1] = owner == user and soldOrder and -5 or ttl(key, owner, deadline)
  elseif i > n and not (owner == user and deadline) then
    local blockedOrFree = ttl(key, owner, deadline)
    if blockedOrFree ~= -2 then
      notFree[#notFree + 1] = i
      notFree[#notFree + 1] = blockedOrFree
    end
    sold = sold + (isSold and 1 or 0)
  end
end
local done = sold == n and #notSold == 2 * n + 1
if not done and #notSold > 1 then
  return notSold
elseif not done and #notFree > 1 then
  return notFree
end

checkTypes(userSeats)
-- PERSIST comes first: Redis runs it even when memory is full, and then all that follows.
call('PERSIST', index)
if not done then
  for i, deadline in ipairs(call('ZMSCORE', index, unpack(to))) do
    if deadline and not values[n + i] then -- of an earlier hold, whose key is gone
      recordExpired(to[i])
    end
  end
  local value = soldValue(order, user)
  for i = 1, n do
    call('DEL', KEYS[3 + i])
    call('SET', KEYS[3 + n + i], value) -- removes the TTL, too
  end
  call('ZREM', index, unpack(from))
  addSeats(index, to, '+inf')
  if limit > 0 then
    call('ZREM', userSeats, unpack(from))
    addSeats(userSeats, to, '+inf')
    call('PERSIST', userSeats)
  end
  appendEnd('exchanged', from, 'to', table.concat(to, ' '), ownerFields(user, order))
  call('PERSIST', stream)
elseif rewrite then
  for i = 1, n do
    call('SET', KEYS[3 + n + i], values[n + i])
  end
end
remember(request, {now})
return {1, now}
