-- What every script begins with.
--
-- KEYS[1] -> seats:{event}, every seat that is not free, scored by its deadline (ms; +inf: sold)
-- KEYS[2] -> changes:{event}, the stream of transitions
-- ARGV[1] -> how many seats a user may have at the event; 0: no limit. Only where there
--            is one are a user's seats kept in user:{event}:user, scored alike

local seats, changes = KEYS[1], KEYS[2]
local limit = tonumber(ARGV[1])
local prefix = 'seat:' .. string.sub(seats, 7) .. ':'

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The value of a hold: held:<deadline>:<latest deadline>:<user>, both ms since the
-- epoch, of 13 digits until the year 2286. Where it is sold, a seat has sold:<user>.
local function hold(deadline, latest, user)
  return 'held:' .. deadline .. ':' .. latest .. ':' .. user
end

-- Whose a seat with value is, nil where nobody's; and the hold's deadline, nil where
-- there is none. To read it here takes a third of what asking for the key's TTL does.
local function owner(value)
  if not value then
    return nil
  elseif string.byte(value) == 104 then -- h
    return string.sub(value, 34), tonumber(string.sub(value, 6, 18))
  end
  return string.sub(value, 6)
end

-- What is said of a seat that is in the way, of its owner and deadline: how long it is
-- held, ms; -1 where it is sold, -2 where it is free.
local function ttl(user, deadline, now)
  if deadline then
    return math.max(0, deadline - now)
  end
  return user and -1 or -2
end

-- Notes a transition of seats, a list of ids; deadline is '' where they have none.
local function note(kind, ids, deadline)
  redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'type', kind, 'seats', table.concat(ids, ' '), 'deadline', deadline)
end

-- Gives ids their deadline ('+inf': sold) in set.
local function score(set, ids, deadline)
  local scored = {}
  for _, id in ipairs(ids) do
    scored[#scored + 1] = deadline
    scored[#scored + 1] = id
  end
  redis.call('ZADD', set, unpack(scored))
end

-- Notes a hold that ended by itself: once, by whoever comes first.
local function expire(id)
  if redis.call('ZREM', seats, id) == 1 then
    note('expired', {id}, '')
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
