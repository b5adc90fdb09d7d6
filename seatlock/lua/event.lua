-- What every script begins with.
--
-- KEYS[1]  -> seats:{event}, every seat that is not free, scored by its deadline (ms; +inf: sold)
-- KEYS[2]  -> changes:{event}, the stream of transitions
-- KEYS[3]  -> user:{event}:user, this user's seats, scored alike; kept where there is a limit
-- KEYS[4…] -> seat:{event}:seat, one for each seat
-- ARGV[1]  -> user
-- ARGV[2]  -> how many seats a user may have at the event; 0: no limit

local seats, changes, mine = KEYS[1], KEYS[2], KEYS[3]
local user, limit = ARGV[1], tonumber(ARGV[2])
local prefix = 'seat:' .. string.sub(seats, 7) .. ':'

-- Whether value is a hold of the user. The deadline in it has 13 digits until the
-- year 2286, so the user begins at its 20th character.
local function held(value)
  return value and string.sub(value, 20) == user and string.sub(value, 1, 5) == 'held:'
end
