-- Adds an event to the events that have settings, or removes it. event.lua does not precede it,
-- because its key is in another slot than the event.
--
-- KEYS[1] -> events, a sorted set
-- ARGV[1] -> the event
-- ARGV[2] -> not-after, see event.lua
-- ARGV[3] -> 1: add it; 0: remove it
--
-- Returns {1, now}: it is done. {-1, now}: it arrived too late, and nothing has changed. now is
-- ms since the epoch.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[2]) then
  return {-1, now}
end
if ARGV[3] == '1' then
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return {1, now}
