-- Sells all of the seats to the user who holds them, or none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3]  -> user:{event}:user
-- KEYS[4…] -> seat:{event}:seat, one for each seat
-- ARGV[5]  -> user
-- ARGV[6]  -> 1: also write seats that the user has bought already, because WAIT waits only
--             for writes of its own connection (since Redis 7.2)
--
-- Returns {1, now}: all are sold to the user, now or already. now is ms since the epoch.
-- Returns {0, i, ttl, ...}: a conflict; nothing has changed. A pair for each seat that
-- conflicts: its place among the seats, from 1 on; and its time to live, ms, if another user
-- holds it; -1 if it is sold to another user; -2 if it is free.

local userSeats, user, rewrite = KEYS[3], ARGV[5], ARGV[6] == '1'
local ids, keys, conflict = {}, {}, {0}

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local key = KEYS[i + 3]
  local owner, deadline = parse(value)
  if owner ~= user then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = ttl(owner, deadline)
  elseif deadline then
    keys[#keys + 1] = key
    ids[#ids + 1] = string.sub(key, #seatPrefix + 1)
  elseif rewrite then
    keys[#keys + 1] = key
  end
end
if #conflict > 1 then
  return conflict
end

checkTypes(userSeats)
if #keys > 0 then
  -- PERSIST comes first: Redis runs it even when memory is full, and then all that follows.
  redis.call('PERSIST', index)
end
for _, key in ipairs(keys) do
  redis.call('SET', key, 'sold:' .. user) -- removes the TTL, too
end
if #ids > 0 then
  addSeats(index, ids, '+inf')
  if limit > 0 then
    addSeats(userSeats, ids, '+inf')
    redis.call('PERSIST', userSeats)
  end
  appendChange('sold', ids, '')
  redis.call('PERSIST', stream)
end
return {1, now}
