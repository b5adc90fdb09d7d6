-- Holds seats for many calls, one after the other: for each, all of its seats or
-- none. One run so pays once for what they share.
--
-- KEYS[1…2], ARGV[1…2] -> see event.lua
-- KEYS[3…]  -> seat:{event}:seat, those of the first call, those of the second, …;
--              then, with a limit, user:{event}:user, one for each call
-- ARGV[3]   -> how long a hold lasts, ms
-- ARGV[4]   -> how long it may last with all its extensions, ms
-- ARGV[5…]  -> for each seat: the user of its call, or '' if it goes on with the
--              call of the seat before
--
-- Returns now, ms since the epoch; and for each call how many numbers follow, and these:
-- 1, deadline: the user holds them all; ms since the epoch, the earliest of the group.
-- Seats that the user held already keep theirs.
-- 0, i, ttl, ...: nothing has changed; a pair for each seat in the way, its place among
-- the call's seats and ms if another user holds it, -1 if it is sold, or -3
-- if it is sold to the user.
-- 2, held, sold: nothing has changed; the user has as many seats, and would pass the
-- limit.

-- The index and the stream of an event without a sale end this long, ms, after the last
-- hold can have ended.
local grace = 600000

local count = #ARGV - 4 -- of seats
local values = redis.call('MGET', unpack(KEYS, 3, 2 + count))
local deadline, latest = now + ARGV[3], now + ARGV[4] -- of the holds that this run makes

local taken = {}  -- their users, by key
local ids = {}    -- their seats
local gained = {} -- which of these are in a user's set, by its key
local reply, size = {now}, 1

-- Whether n seats more would pass the limit of the user whose set is mine; says so.
local function past(mine, n)
  local all = redis.call('ZCOUNT', mine, now, '+inf') + #(gained[mine] or {})
  if all + n <= limit then
    return false
  end
  local sold = redis.call('ZCOUNT', mine, '+inf', '+inf')
  reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4] = 3, 2, all - sold, sold
  size = size + 4
  return true
end

local free = {} -- keys of the call; some of an earlier one may follow them
local seat, call = 1, 0
while seat <= count do
  call = call + 1
  local user, first, frees, earliest = ARGV[4 + seat], seat, 0, nil
  local start = size + 2 -- of the reply to the call, should it be a refusal
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
      reply[size - 1], reply[size] = 1 + seat - first, has == user and -3 or ttl(has, until_)
    end
    seat = seat + 1
  until ARGV[4 + seat] ~= ''

  if size > start then
    reply[start - 1], reply[start] = size - start + 1, 0
  else
    local mine = limit > 0 and frees > 0 and KEYS[2 + count + call]
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
      reply[size + 1], reply[size + 2], reply[size + 3] = 2, 1, earliest
      size = size + 3
    end
  end
end
if #ids == 0 then
  return reply
end

-- What is left to read comes before the first write, because it may fail.
for mine in pairs(gained) do
  checkTypes(mine)
end
redis.call('XLEN', changes)
local ended = lapsed()
for i, was in ipairs(redis.call('ZMSCORE', seats, unpack(ids))) do
  if was then
    ended[#ended + 1] = ids[i]
  end
end

-- As text, or Redis would format them for each seat.
deadline, latest = string.format('%.0f', deadline), string.format('%.0f', latest)
-- SET comes first: when memory is full it is refused, and only the first write of
-- a script is.
for key, user in pairs(taken) do
  redis.call('SET', key, hold(deadline, latest, user), 'PXAT', deadline)
end
for _, id in ipairs(ended) do
  expire(id)
end
score(seats, ids, deadline)
note('held', ids, deadline)

-- Gives key a TTL, unless a sale has taken it off. isNew: this run made the key.
local ends = string.format('%.0f', latest + 2 * grace)
local function endLater(key, isNew)
  if isNew then
    redis.call('PEXPIREAT', key, ends)
  else
    redis.call('PEXPIREAT', key, ends, 'GT') -- no TTL is the longest
  end
end

local left = redis.call('PTTL', seats)
local isNew = left == -1 and redis.call('ZCARD', seats) == #ids
if isNew or left >= 0 and left < latest + grace - now then
  endLater(seats, isNew)
  endLater(changes, redis.call('XLEN', changes) == 1)
end
for mine, theirs in pairs(gained) do
  score(mine, theirs, deadline)
  redis.call('ZREMRANGEBYSCORE', mine, '-inf', '(' .. now)
  endLater(mine, redis.call('ZCARD', mine) == #theirs)
end
return reply
