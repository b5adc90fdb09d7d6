-- Moves the deadline of all of the seats that the user holds, or of none.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3…], ARGV[5]    -> see buy.lua
--
-- The new deadline is the hold time from now, but never before the old one, nor after the
-- latest that the hold allows.
--
-- Returns {1, now, holdTime, deadline}: ms since the epoch; ms; the earliest deadline of the
-- seats, ms since the epoch, 0 if all are sold to the user. A sold seat has not changed.
-- Returns {0, i, ttl, ...}: as buy.lua.

local userSeats = KEYS[3]
local user, request = parseCaller(ARGV[5])
local repeated = replay(request)
if repeated then
  return repeated
end
local minGain = math.min(1000, math.floor(holdTime / 10)) -- ms; a repeated call gains less
local extended, conflict, earliest = {}, {0}, nil

for i, value in ipairs(call('MGET', unpack(KEYS, 4))) do
  local owner, deadline = parse(value)
  if owner ~= user then
    conflict[#conflict + 1] = i
    conflict[#conflict + 1] = ttl(KEYS[i + 3], owner, deadline)
  elseif deadline then
    local latest = tonumber(sub(value, 20, 32))
    local newDeadline = math.min(now + holdTime, latest)
    if newDeadline - deadline >= minGain then
      extended[#extended + 1] = {KEYS[i + 3], newDeadline, latest}
      deadline = newDeadline
    end
    earliest = math.min(earliest or deadline, deadline)
  end
end
if #conflict > 1 then
  return conflict
end

checkTypes(userSeats)
for _, seat in ipairs(extended) do
  local key, deadline, latest = seat[1], string.format('%d', seat[2]), string.format('%d', seat[3])
  local ids = {sub(key, seatStart)}
  call('SET', key, heldValue(deadline, latest, user), 'PXAT', deadline)
  addSeats(index, ids, deadline)
  if limit > 0 then
    addSeats(userSeats, ids, deadline)
  end
  appendChange('extended', ids, 1, 'users', user, 'deadline', deadline)
end
remember(request, {now, holdTime, earliest or 0})
return {1, now, holdTime, earliest or 0}
