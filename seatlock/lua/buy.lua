-- Sells every seat to the user who holds it, or none.
--
-- KEYS, ARGV -> see event.lua
--
-- Returns {1}: all are sold to the user, now or already.
-- Returns {0, i, ttl, ...}: nothing has changed; a pair for each seat in the
-- way, its place among the seats and its PTTL (ms where another user holds it,
-- -1 where it is sold to another, -2 where nobody has it).

local sold = 'sold:' .. user
local ids, refusal = {}, {0}

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local key = KEYS[i + 3]
  if held(value) then
    ids[#ids + 1] = string.sub(key, #prefix + 1)
  elseif value ~= sold then
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = redis.call('PTTL', key)
  end
end
if #refusal > 1 then
  return refusal
end

-- include change.lua

if #ids > 0 then
  -- A plain SET drops the TTL: nothing but this key's value ends a sale.
  for _, id in ipairs(ids) do
    redis.call('SET', prefix .. id, sold)
  end
  move('sold', ids, '+inf')
end
return {1}
