-- Begins to delete an event: no call changes it from now on.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3] -> event:{event}
-- ARGV[5] -> 1: also if seats are sold
--
-- Returns {1, now}: it has begun. {4, now}: the event does not exist. {5, now, held, sold}:
-- seats are held or sold; nothing has changed.

if not settings then
  return {4, now}
end
local sold = call('ZCOUNT', index, '+inf', '+inf')
local held = call('ZCOUNT', index, now, '+inf') - sold
if held > 0 or sold > 0 and ARGV[5] ~= '1' then
  return {5, now, held, sold}
end
call('HSET', KEYS[3], 'settings', 'deleting')
call('HDEL', KEYS[3], 'document')
return {1, now}
