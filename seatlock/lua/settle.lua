-- Notes the holds that ended by themselves and that nothing has noted yet.
--
-- KEYS, ARGV -> see event.lua
--
-- Returns the ms until the next hold may end; 0: there is more to note already;
-- -1: nothing is held.

local now = milliseconds()
settle(now)
local nearest = redis.call('ZRANGE', seats, 0, 0, 'WITHSCORES')
if #nearest == 0 or nearest[2] == 'inf' then
  return {-1}
end
return {math.max(0, nearest[2] - now + 1)}
