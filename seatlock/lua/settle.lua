-- Notes the holds that ended by themselves and that nothing has noted yet.
--
-- KEYS[1], KEYS[2], ARGV[1…2] -> see event.lua; there is no user, and no limit
--
-- Returns the ms until the next hold may end; 0: there is more to note already;
-- -1: nothing is held.

-- include change.lua

local now = milliseconds()
settle(now)
local nearest = redis.call('ZRANGE', seats, 0, 0, 'WITHSCORES')
if #nearest == 0 or nearest[2] == 'inf' then
  return {-1}
end
return {math.max(0, nearest[2] - now + 1)}
