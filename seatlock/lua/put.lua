-- Writes the settings, the document and the plan of an event.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3] -> event:{event}
-- KEYS[4] -> plan:{event}, a string: the version of the plan, a colon, and the plan
-- ARGV[5] -> the version that the event must have; 0: it must not exist yet; '': any
-- ARGV[6] -> the ID of the last change that the event must have, 0-0 for none; '': any
-- ARGV[7] -> the settings after the versions
-- ARGV[8] -> the document
-- ARGV[9] -> 1: ARGV[10] is the new plan, '' for none; 0: the plan stays
--
-- Returns {1, now, version, planVersion, blocked}: it is done. blocked is how many seats are
-- blocked.
-- Returns {4, now}: the event has another version. {5, now}: it has another last change. Nothing
-- has changed.

if ARGV[5] ~= '' and ARGV[5] ~= version then
  return {4, now}
end
local last = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if ARGV[6] ~= '' and ARGV[6] ~= (last and last[1] or '0-0') then
  return {5, now}
end

local newVersion = string.format('%d', math.max(version + 1, micros))
local isNew = not settings
if ARGV[9] == '1' or isNew then
  planVersion = newVersion
end
call('HSET', KEYS[3], 'settings', newVersion .. ':' .. planVersion .. ':' .. ARGV[7], 'document', ARGV[8])
if ARGV[9] == '1' and ARGV[10] ~= '' then
  call('SET', KEYS[4], planVersion .. ':' .. ARGV[10])
elseif ARGV[9] == '1' then
  call('DEL', KEYS[4])
end
return {1, now, tonumber(newVersion), tonumber(planVersion), tonumber(hasBlocked) or 0}
