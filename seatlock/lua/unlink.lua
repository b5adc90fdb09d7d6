-- Deletes keys of an event that is being deleted. event.lua does not precede it, because that
-- refuses such an event.
--
-- KEYS[1]  -> event:{event}
-- KEYS[2…] -> keys of the event; none: it only checks the event
-- ARGV[2]  -> not-after, see event.lua
--
-- Returns {1, now}: it is done. {-1, now}: it arrived too late; {4, now}: the event is not being
-- deleted. Then nothing has changed. now is ms since the epoch.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[2]) then
  return {-1, now}
end
if redis.call('HMGET', KEYS[1], 'settings')[1] ~= 'deleting' then
  return {4, now}
end
if #KEYS > 1 then
  redis.call('UNLINK', unpack(KEYS, 2))
end
return {1, now}
