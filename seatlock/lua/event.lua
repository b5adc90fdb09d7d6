-- What every transition begins with; it is put before each script.
--
-- KEYS[1]  -> seats:{event}, every seat that is not free, scored by its deadline (ms; +inf: sold)
-- KEYS[2]  -> changes:{event}, the stream of transitions
-- KEYS[3]  -> user:{event}:user, this user's seats, scored alike; kept where there is a limit
-- KEYS[4…] -> seat:{event}:seat, one for each seat
-- ARGV[1]  -> user
-- ARGV[2]  -> how many changes the stream keeps, about
-- ARGV[3]  -> how many seats a user may have at the event; 0: no limit

local seats, changes, mine = KEYS[1], KEYS[2], KEYS[3]
local user, limit = ARGV[1], tonumber(ARGV[3])
local prefix = 'seat:' .. string.sub(seats, 7) .. ':'

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function held(value)
  return value and string.match(value, '^held:%d+:(.*)$') == user
end

-- Notes a transition of seats, their ids with spaces between; deadline is '' where
-- they have none.
local function note(kind, ids, deadline)
  redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'type', kind, 'seats', ids, 'deadline', deadline)
end

-- Moves seats, a list of ids, to deadline ('+inf': sold) in the sets, and notes it.
local function move(kind, ids, deadline)
  local scored = {}
  for _, id in ipairs(ids) do
    scored[#scored + 1] = deadline
    scored[#scored + 1] = id
  end
  redis.call('ZADD', seats, unpack(scored))
  if limit > 0 then
    redis.call('ZADD', mine, unpack(scored))
  end
  note(kind, table.concat(ids, ' '), deadline == '+inf' and '' or deadline)
end

-- Notes a hold that ended by itself: once, by whoever comes first.
local function expire(id)
  if redis.call('ZREM', seats, id) == 1 then
    note('expired', id, '')
  end
end

-- Does so for the holds that ended before now, in their order, 500 of them at most.
-- The key has the last word, because Redis may still see it when TIME is past it.
local function settle(now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', seats, '-inf', now, 'LIMIT', 0, 500)) do
    if redis.call('EXISTS', prefix .. id) == 0 then
      expire(id)
    end
  end
end
