-- Sells every seat to the user who holds it, or none.
--
-- KEYS[1…2], ARGV[1…2] -> see event.lua
-- KEYS[3]  -> user:{event}:user
-- KEYS[4…] -> seat:{event}:seat, one for each seat
-- ARGV[3]  -> user
-- ARGV[4]  -> 1: write again what is sold to the user already, so that a WAIT on
--             this connection waits for it (since Redis 7.2, WAIT looks at its own writes)
--
-- Returns {1, now}: all are sold to the user, now or already.
-- Returns {0, i, ttl, ...}: nothing has changed; a pair for each seat in the
-- way, its place among the seats and ms if another user holds it, -1 if it is
-- sold to another, -2 if it is free.

local mine, user, again = KEYS[3], ARGV[3], ARGV[4] == '1'
local ids, keys, refusal = {}, {}, {0}

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local key = KEYS[i + 3]
  local has, deadline = owner(value)
  if has ~= user then
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = ttl(has, deadline)
  elseif deadline then
    keys[#keys + 1] = key
    ids[#ids + 1] = string.sub(key, #prefix + 1)
  elseif again then
    keys[#keys + 1] = key
  end
end
if #refusal > 1 then
  return refusal
end

checkTypes(mine)
if #keys > 0 then
  -- PERSIST comes first: Redis runs it when memory is full, and then all that follows.
  redis.call('PERSIST', seats)
end
for _, key in ipairs(keys) do
  redis.call('SET', key, 'sold:' .. user) -- which drops the TTL
end
if #ids > 0 then
  score(seats, ids, '+inf')
  if limit > 0 then
    score(mine, ids, '+inf')
    redis.call('PERSIST', mine)
  end
  note('sold', ids, '')
  redis.call('PERSIST', changes)
end
return {1, now}
