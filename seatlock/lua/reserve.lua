-- Holds every seat for one user, or none.
--
-- KEYS[i] -> seat:{event}:seat, one for each seat
-- ARGV[1] -> user
-- ARGV[2] -> how long a hold lasts, ms
-- ARGV[3] -> how long it may last with all its extensions, ms
--
-- Returns {1, now, deadline}: the user holds them all; ms since the epoch, the
-- deadline being the earliest of the group. Seats that the user held already
-- keep theirs.
-- Returns {0, i, ttl, ...}: nothing has changed; a pair for each seat in the
-- way, its place in KEYS and its PTTL (ms where another user holds it, -1 where
-- it is sold), or -3 where it is sold to the user.

local user = ARGV[1]
local free, refusal, deadline = {}, {0}, nil

for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  if not value then
    free[#free + 1] = KEYS[i]
  elseif string.match(value, '^held:%d+:(.*)$') == user then
    local expires = redis.call('PEXPIRETIME', KEYS[i])
    deadline = math.min(deadline or expires, expires)
  else
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = value == 'sold:' .. user and -3 or redis.call('PTTL', KEYS[i])
  end
end
if #refusal > 1 then
  return refusal
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = now + ARGV[2]
local held = string.format('held:%.0f:%s', now + ARGV[3], user)
for _, key in ipairs(free) do
  redis.call('SET', key, held, 'PXAT', expires)
end
return {1, now, math.min(deadline or expires, expires)}
