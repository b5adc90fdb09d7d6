-- Moves the deadline of every seat that the user holds, or of none.
--
-- KEYS[1…2], ARGV[1…2] -> see event.lua
-- KEYS[3…], ARGV[3]    -> see buy.lua
-- ARGV[4] -> how long a hold lasts, ms: the new deadline is that far from now, but
--            never earlier than it was, nor past the latest that the hold allows
-- ARGV[5] -> what an extension must gain, ms: one that is sent twice gains nothing
--
-- Returns {1, now, deadline}: ms since the epoch, the deadline being the earliest
-- of the group, or 0 if all of it is sold to the user, which stays as it is.
-- Returns {0, i, ttl, ...}: as buy.lua.

local mine, user = KEYS[3], ARGV[3]
local longer, refusal, earliest = {}, {0}, nil

for i, value in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  local has, deadline = owner(value)
  if has ~= user then
    refusal[#refusal + 1] = i
    refusal[#refusal + 1] = ttl(has, deadline)
  elseif deadline then
    local latest = tonumber(string.sub(value, 20, 32))
    local to = math.min(now + ARGV[4], latest)
    if to - deadline >= tonumber(ARGV[5]) then
      longer[#longer + 1] = {KEYS[i + 3], to, latest}
      deadline = to
    end
    earliest = math.min(earliest or deadline, deadline)
  end
end
if #refusal > 1 then
  return refusal
end

checkTypes(mine)
for _, seat in ipairs(longer) do
  local key, to, latest = seat[1], string.format('%.0f', seat[2]), string.format('%.0f', seat[3])
  local id = {string.sub(key, #prefix + 1)}
  redis.call('SET', key, hold(to, latest, user), 'PXAT', to)
  score(seats, id, to)
  if limit > 0 then
    score(mine, id, to)
  end
  note('extended', id, to)
end
return {1, now, earliest or 0}
