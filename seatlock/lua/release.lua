-- Ends the user's holds among the seats, or none.
--
-- KEYS[1…2], ARGV[1…2] -> see event.lua
-- KEYS[3…], ARGV[3]    -> see buy.lua
--
-- Returns {1, now}: the user holds none of them; what is free or another's is unchanged.
-- Returns {0, i, -1, ...}: nothing has changed; a pair for each seat that is sold
-- to the user, its place among the seats and -1.

local mine, user = KEYS[3], ARGV[3]
local ids, refusal = {}, {0}

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local has, deadline = owner(value)
  if has == user and deadline then
    ids[#ids + 1] = string.sub(KEYS[i + 3], #prefix + 1)
  elseif has == user then
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = -1
  end
end
if #refusal > 1 then
  return refusal
end

checkTypes(mine)
if #ids > 0 then
  for _, id in ipairs(ids) do
    redis.call('DEL', prefix .. id)
  end
  redis.call('ZREM', seats, unpack(ids))
  if limit > 0 then
    redis.call('ZREM', mine, unpack(ids))
  end
  note('released', ids, '')
end
return {1, now}
