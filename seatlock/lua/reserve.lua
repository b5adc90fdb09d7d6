-- Holds seats for many requests, one after the other: for each, all of its seats or
-- none. One run so pays once for what they share.
--
-- KEYS[1…2] -> see event.lua
-- KEYS[3…]  -> seat:{event}:seat, those of the first request, those of the second, …;
--              then, where there is a limit, user:{event}:user, one for each request
-- ARGV[1]   -> see event.lua
-- ARGV[2]   -> how long a hold lasts, ms
-- ARGV[3]   -> how long it may last with all its extensions, ms
-- ARGV[4…]  -> for each seat: the user of its request, or '' where it goes on with the
--              request of the seat before
--
-- Returns for each request how many numbers follow, and these:
-- 1, now, deadline: the user holds them all; ms since the epoch, the deadline being
-- the earliest of the group. Seats that the user held already keep theirs.
-- 0, i, ttl, ...: nothing has changed; a pair for each seat in the way, its place among
-- the request's seats and ms where another user holds it, -1 where it is sold, or -3
-- where it is sold to the user.
-- 2, held, sold: nothing has changed; the user has as many seats, and would pass the
-- limit.

local count = #ARGV - 3 -- of seats
local values = redis.call('MGET', unpack(KEYS, 3, 2 + count))
local now = milliseconds()
local deadline, latest = now + ARGV[2], now + ARGV[3] -- of the holds that this run makes

local taken = {}  -- their users, by key
local ids = {}    -- their seats
local gained = {} -- which of these are in a user's set, by its key
local reply, size = {}, 0

local function answer(a, b, c)
  reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4] = 3, a, b, c
  size = size + 4
end

-- Whether n seats more would pass the limit of the user whose set is mine; says so.
local function past(mine, n)
  local all = redis.call('ZCOUNT', mine, now, '+inf') + #(gained[mine] or {})
  if all + n <= limit then
    return false
  end
  local sold = redis.call('ZCOUNT', mine, '+inf', '+inf')
  answer(2, all - sold, sold)
  return true
end

local free = {} -- keys of the request; some of an earlier one may follow them
local seat, request = 1, 0
while seat <= count do
  request = request + 1
  local user, first, frees, earliest = ARGV[3 + seat], seat, 0, nil
  local start = size + 2 -- of the reply to the request, should it be a refusal
  repeat
    local key = KEYS[2 + seat]
    local has, until_ = owner(values[seat])
    if not has and taken[key] then
      has, until_ = taken[key], deadline
    end
    if not has then
      frees = frees + 1
      free[frees] = key
    elseif has == user and until_ then
      earliest = math.min(earliest or until_, until_)
    else
      size = math.max(size, start) + 2
      reply[size - 1], reply[size] = 1 + seat - first, has == user and -3 or ttl(has, until_, now)
    end
    seat = seat + 1
  until ARGV[3 + seat] ~= ''

  if size > start then
    reply[start - 1], reply[start] = size - start + 1, 0
  else
    local mine = limit > 0 and frees > 0 and KEYS[2 + count + request]
    if not (mine and past(mine, frees)) then
      for i = 1, frees do
        local id = string.sub(free[i], #prefix + 1)
        taken[free[i]], ids[#ids + 1] = user, id
        if mine then
          gained[mine] = gained[mine] or {}
          table.insert(gained[mine], id)
        end
        earliest = math.min(earliest or deadline, deadline)
      end
      answer(1, now, earliest)
    end
  end
end
if #ids == 0 then
  return reply
end

-- As text, or Redis would format them for each seat.
deadline, latest = string.format('%.0f', deadline), string.format('%.0f', latest)
-- SET comes first: where memory is full it is refused, and only the first write of
-- a script is.
for key, user in pairs(taken) do
  redis.call('SET', key, hold(deadline, latest, user), 'PXAT', deadline)
end
settle(now)
for i, was in ipairs(redis.call('ZMSCORE', seats, unpack(ids))) do
  if was then
    expire(ids[i])
  end
end
score(seats, ids, deadline)
note('held', ids, deadline)
for mine, theirs in pairs(gained) do
  score(mine, theirs, deadline)
  redis.call('ZREMRANGEBYSCORE', mine, '-inf', '(' .. now)
end
return reply
