-- Appends an expired change for each hold whose TTL has passed.
--
-- KEYS, ARGV -> see event.lua
--
-- Returns {1, now, wait}: ms until the next hold may end; 0: there is more to append
-- already; -1: nothing is held.

for _, id in ipairs(lapsed()) do
  expire(id)
end
local nearest = redis.call('ZRANGE', seats, 0, 0, 'WITHSCORES')
if #nearest == 0 or nearest[2] == 'inf' then
  return {1, now, -1}
end
return {1, now, math.max(0, nearest[2] - now + 1)}
