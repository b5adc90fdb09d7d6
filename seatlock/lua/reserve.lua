-- Holds seats for many requests, one after the other: for each, all of its seats or
-- none. One run so pays once for what they share.
--
-- KEYS[1…2] -> see event.lua
-- KEYS[3…]  -> seat:{event}:seat, those of the first request, those of the second, …;
--              then, where there is a limit, user:{event}:user, one for each request
-- ARGV[1]   -> see event.lua
-- ARGV[2]   -> how long a hold lasts, ms
-- ARGV[3]   -> how long it may last with all its extensions, ms
-- ARGV[4…]  -> for each request: its user, and how many seats it asks for
--
-- Returns for each request how many numbers follow, and these:
-- 1, now, deadline: the user holds them all; ms since the epoch, the deadline being
-- the earliest of the group. Seats that the user held already keep theirs.
-- 0, i, ttl, ...: nothing has changed; a pair for each seat in the way, its place among
-- the request's seats and its PTTL (ms where another user holds it, -1 where it is
-- sold), or -3 where it is sold to the user.
-- 2, held, sold: nothing has changed; the user has as many seats, and would pass the
-- limit.

local hold, longest = tonumber(ARGV[2]), tonumber(ARGV[3])
local requests = (#ARGV - 3) / 2
local last = limit > 0 and #KEYS - requests or #KEYS -- the last seat's key
local values = redis.call('MGET', unpack(KEYS, 3, last))

local now, deadline -- of the holds that this run makes
local holder = {}   -- their users, by key
local new = {}      -- their seats
local gained = {}   -- which of these are in a user's set, by its key
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

local before = 2 -- the keys before those of the request's seats
for request = 1, requests do
  local user, count = ARGV[2 + 2 * request], tonumber(ARGV[3 + 2 * request])
  local free, earliest = nil, nil
  local start = size + 2 -- of the reply to the request, should it be a refusal
  for i = 1, count do
    local key, value = KEYS[before + i], values[before + i - 2]
    local ttl
    if holder[key] == user then
      earliest = math.min(earliest or deadline, deadline)
    elseif holder[key] then
      ttl = hold
    elseif not value then
      free = free or {}
      free[#free + 1] = key
    elseif held(value, user) then
      local expires = redis.call('PEXPIRETIME', key)
      earliest = math.min(earliest or expires, expires)
    elseif value == 'sold:' .. user then
      ttl = -3
    else
      ttl = redis.call('PTTL', key)
    end
    if ttl then
      size = math.max(size, start) + 2
      reply[size - 1], reply[size] = i, ttl
    end
  end

  if size > start then
    reply[start - 1], reply[start] = size - start + 1, 0
  else
    if not now then
      now = milliseconds()
      deadline = now + hold
    end
    local mine = limit > 0 and free and KEYS[last + request]
    if not (mine and past(mine, #free)) then
      for _, key in ipairs(free or {}) do
        local id = string.sub(key, #prefix + 1)
        holder[key], new[#new + 1] = user, id
        if mine then
          gained[mine] = gained[mine] or {}
          table.insert(gained[mine], id)
        end
        earliest = math.min(earliest or deadline, deadline)
      end
      answer(1, now, earliest)
    end
  end
  before = before + count
end
if #new == 0 then
  return reply
end

local start = string.format('held:%.0f:', now + longest)
-- SET comes first: where memory is full it is refused, and only the first write of
-- a script is.
for key, user in pairs(holder) do
  redis.call('SET', key, start .. user, 'PXAT', deadline)
end
settle(now)
for i, was in ipairs(redis.call('ZMSCORE', seats, unpack(new))) do
  if was then
    expire(new[i])
  end
end
score(seats, new, deadline)
note('held', new, deadline)
for mine, ids in pairs(gained) do
  score(mine, ids, deadline)
  redis.call('ZREMRANGEBYSCORE', mine, '-inf', '(' .. now)
end
return reply
