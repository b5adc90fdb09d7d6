-- Holds seats for the calls of a batch, one call after the other: all seats of a call, or
-- none. A batch pays once for what its calls share.
--
-- KEYS[1…2], ARGV[1…2] -> see event.lua
-- KEYS[3…]  -> seat:{event}:seat, for each seat of the first call, of the second, …; then,
--              with a limit, user:{event}:user, for each call
-- ARGV[3]   -> how long a hold lasts, ms
-- ARGV[4]   -> how long it lasts with all its extensions, ms
-- ARGV[5…]  -> for each seat: the user if it is the first seat of a call, otherwise ''
--
-- Returns now, ms since the epoch; then for each call the number of values that follow for
-- it, and these values:
-- 1, deadline: the user holds all of the seats; ms since the epoch, the earliest deadline of
-- the seats. A seat that the user held already keeps its deadline.
-- 0, i, ttl, ...: a conflict; nothing has changed for the call. A pair for each seat that
-- conflicts: its place among the call's seats, from 1 on; and its time to live, ms, if
-- another user holds it; -1 if it is sold to another user; -3 if it is sold to the user.
-- 2, held, sold: the limit; nothing has changed for the call. How many seats the user has.

-- Without a sale, the index and the stream end this long, ms, after the last hold can end.
local grace = 600000

local count = #ARGV - 4 -- of seats
local values = redis.call('MGET', unpack(KEYS, 3, 2 + count))
local newDeadline, newLatest = now + ARGV[3], now + ARGV[4] -- of the holds of this batch

local newHolds = {}     -- key of a seat -> its user
local newIds = {}       -- the seats of newHolds
local newIdsByUser = {} -- key of a user's seats -> which of newIds they are; only with a limit
local reply, size = {now}, 1

-- Returns whether the user of userSeats can't have n more seats, and then appends the reply.
local function exceedsLimit(userSeats, n)
  local all = redis.call('ZCOUNT', userSeats, now, '+inf') + #(newIdsByUser[userSeats] or {})
  if all + n <= limit then
    return false
  end
  local sold = redis.call('ZCOUNT', userSeats, '+inf', '+inf')
  reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4] = 3, 2, all - sold, sold
  size = size + 4
  return true
end

local freeKeys = {} -- of the call: the first freeCount; the others are of earlier calls
local seat, call = 1, 0
while seat <= count do
  call = call + 1
  local user, first, freeCount, earliest = ARGV[4 + seat], seat, 0, nil
  local start = size + 2 -- of the conflicts in the reply, if there are any
  repeat
    local key = KEYS[2 + seat]
    local owner, deadline = parse(values[seat])
    if not owner and newHolds[key] then
      owner, deadline = newHolds[key], newDeadline
    end
    if not owner then
      freeCount = freeCount + 1
      freeKeys[freeCount] = key
    elseif owner == user and deadline then
      earliest = math.min(earliest or deadline, deadline)
    else
      size = math.max(size, start) + 2
      reply[size - 1], reply[size] = 1 + seat - first, owner == user and -3 or ttl(owner, deadline)
    end
    seat = seat + 1
  until ARGV[4 + seat] ~= ''

  if size > start then
    reply[start - 1], reply[start] = size - start + 1, 0
  else
    local userSeats = limit > 0 and freeCount > 0 and KEYS[2 + count + call]
    if not (userSeats and exceedsLimit(userSeats, freeCount)) then
      for i = 1, freeCount do
        local id = string.sub(freeKeys[i], #seatPrefix + 1)
        newHolds[freeKeys[i]], newIds[#newIds + 1] = user, id
        if userSeats then
          newIdsByUser[userSeats] = newIdsByUser[userSeats] or {}
          table.insert(newIdsByUser[userSeats], id)
        end
        earliest = math.min(earliest or newDeadline, newDeadline)
      end
      reply[size + 1], reply[size + 2], reply[size + 3] = 2, 1, earliest
      size = size + 3
    end
  end
end
if #newIds == 0 then
  return reply
end

-- The remaining reads come before the first write, because they may fail.
for userSeats in pairs(newIdsByUser) do
  checkTypes(userSeats)
end
redis.call('XLEN', stream)
local expired = expiredSeats()
for i, deadline in ipairs(redis.call('ZMSCORE', index, unpack(newIds))) do
  if deadline then -- of an earlier hold, whose key is gone
    expired[#expired + 1] = newIds[i]
  end
end

-- As text, because Redis would format a number for each seat.
local deadline, latest = string.format('%.0f', newDeadline), string.format('%.0f', newLatest)
-- SET comes first: when memory is full, Redis refuses it. It refuses only the first write of
-- a script.
for key, user in pairs(newHolds) do
  redis.call('SET', key, heldValue(deadline, latest, user), 'PXAT', deadline)
end
for _, id in ipairs(expired) do
  recordExpired(id)
end
addSeats(index, newIds, deadline)
appendChange('held', newIds, deadline)

-- Extends the TTL of key, unless a sale has removed it. isNew: this script made the key.
local ends = string.format('%.0f', newLatest + 2 * grace)
local function extendTTL(key, isNew)
  if isNew then
    redis.call('PEXPIREAT', key, ends)
  else
    redis.call('PEXPIREAT', key, ends, 'GT') -- to GT, no TTL is the longest
  end
end

local remaining = redis.call('PTTL', index)
local isNew = remaining == -1 and redis.call('ZCARD', index) == #newIds
if isNew or remaining >= 0 and remaining < newLatest + grace - now then
  extendTTL(index, isNew)
  extendTTL(stream, redis.call('XLEN', stream) == 1)
end
for userSeats, ids in pairs(newIdsByUser) do
  addSeats(userSeats, ids, deadline)
  redis.call('ZREMRANGEBYSCORE', userSeats, '-inf', '(' .. now)
  extendTTL(userSeats, redis.call('ZCARD', userSeats) == #ids)
end
return reply
