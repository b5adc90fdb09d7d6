-- Sells every seat to the user who holds it, or none.
--
-- KEYS[i] -> seat:{event}:seat, one for each seat
-- ARGV[1] -> user
--
-- Returns {1}: all are sold to the user, now or already.
-- Returns {0, i, ttl, ...}: nothing has changed; a pair for each seat in the
-- way, its place in KEYS and its PTTL (ms where another user holds it, -1 where
-- it is sold to another, -2 where nobody has it).

local user = ARGV[1]
local sold = 'sold:' .. user
local held, refusal = {}, {0}

for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  if value and string.match(value, '^held:%d+:(.*)$') == user then
    held[#held + 1] = KEYS[i]
  elseif value ~= sold then
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = redis.call('PTTL', KEYS[i])
  end
end
if #refusal > 1 then
  return refusal
end

-- A plain SET drops the TTL: nothing but this key's value ends a sale.
for _, key in ipairs(held) do
  redis.call('SET', key, sold)
end
return {1}
