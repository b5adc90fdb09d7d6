-- What every script begins with.
--
-- KEYS[1] -> seats:{event}, every seat that is not free, scored by its deadline (ms; +inf: sold)
-- KEYS[2] -> changes:{event}, the stream of transitions
-- ARGV[1] -> how many seats a user may have at the event; 0: no limit. Only with a limit
--            are a user's seats kept in user:{event}:user, scored alike
-- ARGV[2] -> not after: ms since the epoch. The caller has its answer by then, so that a
--            script which arrives later must change nothing
--
-- Returns {-1, now}: it arrived after ARGV[2]; nothing has changed.

local seats, changes = KEYS[1], KEYS[2]
local limit = tonumber(ARGV[1])
local prefix = 'seat:' .. string.sub(seats, 7) .. ':'

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) -- ms since the epoch
if now > tonumber(ARGV[2]) then
  return {-1, now}
end

-- The value of a hold: held:<deadline>:<latest deadline>:<user>, both ms since the
-- epoch, of 13 digits until the year 2286. The value of a sale: sold:<user>.
local function hold(deadline, latest, user)
  return 'held:' .. deadline .. ':' .. latest .. ':' .. user
end

-- The user of a seat's value, nil if it is free; and the hold's deadline, nil if
-- there is none. To read it here takes a third of what asking for the key's TTL does.
local function owner(value)
  if not value then
    return nil
  elseif string.byte(value) == 104 then -- h
    return string.sub(value, 34), tonumber(string.sub(value, 6, 18))
  end
  return string.sub(value, 6)
end

-- What a refusal says of a seat with this user and deadline: how long it is held, ms;
-- -1 if it is sold, -2 if it is free.
local function ttl(user, deadline)
  if deadline then
    return math.max(0, deadline - now)
  end
  return user and -1 or -2
end

-- Fails if a key that is about to be written, mine only with a limit, is of another type:
-- after the first write nothing may fail, because Redis does not roll back.
local function checkTypes(mine)
  redis.call('ZCARD', seats)
  redis.call('XLEN', changes)
  if limit > 0 then
    redis.call('ZCARD', mine)
  end
end

-- Appends a transition of seats, a list of ids; deadline is '' if they have none.
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

-- Appends the end of a hold whose TTL has passed, once.
local function expire(id)
  if redis.call('ZREM', seats, id) == 1 then
    note('expired', {id}, '')
  end
end

-- Returns the seats whose deadline has passed and whose key is gone, in order of
-- deadlines, of the first 500. The key decides, because Redis may still see it when
-- TIME is past its deadline.
local function lapsed()
  local ids = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', seats, '-inf', now, 'LIMIT', 0, 500)) do
    if redis.call('EXISTS', prefix .. id) == 0 then
      ids[#ids + 1] = id
    end
  end
  return ids
end
