-- What a script needs that changes something. It stands where a script includes it:
-- after a refusal, which is what most calls end with, and which so need not make it.

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Notes a transition of seats, their ids with spaces between; deadline is '' where
-- they have none.
local function note(kind, ids, deadline)
  redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'type', kind, 'seats', ids, 'deadline', deadline)
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
