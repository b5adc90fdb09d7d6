-- Appends an expired change for each hold whose deadline has passed.
--
-- KEYS, ARGV -> see event.lua
--
-- Returns {1, now, wait}: ms since the epoch; and how long until the next hold ends, ms;
-- 0: more holds have ended already; -1: no seat is held.

for _, id in ipairs(expiredSeats()) do
  recordExpired(id)
end
local nearest = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
if #nearest == 0 or nearest[2] == 'inf' then
  return {1, now, -1}
end
return {1, now, math.max(0, nearest[2] - now + 1)}
