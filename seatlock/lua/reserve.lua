-- Holds every seat for one user, or none.
--
-- KEYS, ARGV[1…2] -> see event.lua
-- ARGV[3] -> how long a hold lasts, ms
-- ARGV[4] -> how long it may last with all its extensions, ms
--
-- Returns {1, now, deadline}: the user holds them all; ms since the epoch, the
-- deadline being the earliest of the group. Seats that the user held already
-- keep theirs.
-- Returns {0, i, ttl, ...}: nothing has changed; a pair for each seat in the
-- way, its place among the seats and its PTTL (ms where another user holds it,
-- -1 where it is sold), or -3 where it is sold to the user.
-- Returns {2, held, sold}: nothing has changed; the user has as many seats, and
-- would pass the limit.

local free, refusal, deadline = {}, {0}, nil

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local key = KEYS[i + 3]
  if not value then
    free[#free + 1] = string.sub(key, #prefix + 1)
  elseif held(value) then
    local expires = redis.call('PEXPIRETIME', key)
    deadline = math.min(deadline or expires, expires)
  else
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = value == 'sold:' .. user and -3 or redis.call('PTTL', key)
  end
end
if #refusal > 1 then
  return refusal
end

-- include change.lua

local now = milliseconds()
if #free == 0 then
  return {1, now, deadline}
end
if limit > 0 then
  local all = redis.call('ZCOUNT', mine, now, '+inf')
  if all + #free > limit then
    local sold = redis.call('ZCOUNT', mine, '+inf', '+inf')
    return {2, all - sold, sold}
  end
end

local expires = now + ARGV[3]
local value = string.format('held:%.0f:%s', now + ARGV[4], user)
-- SET comes first: where memory is full it is refused, and only the first write of
-- a script is.
for _, id in ipairs(free) do
  redis.call('SET', prefix .. id, value, 'PXAT', expires)
end
settle(now)
for _, id in ipairs(free) do
  expire(id)
end
move('held', free, expires)
if limit > 0 then
  redis.call('ZREMRANGEBYSCORE', mine, '-inf', '(' .. now)
end
return {1, now, math.min(deadline or expires, expires)}
