-- Holds seats for the calls of a batch, one call after the other: all seats of a call, or
-- none. A batch pays once for what its calls share.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3…]  -> seat:{event}:seat, for each seat of the first call, of the second, …
-- ARGV[5]   -> how long a hold lasts with all its extensions, ms
-- ARGV[6]   -> the channel of the seats; '': they are not blocked. Seats of a channel can be
--              held outside of the sale window, too
-- ARGV[7…]  -> for each seat: the caller if it is the first seat of a call, see event.lua;
--              otherwise ''. A call may offer several groups of seats: then a space precedes its
--              caller, and the first seat of each further group has a space. The call holds the
--              first group that is entirely free
--
-- Returns now, ms since the epoch, and the hold time, ms; then for each call the number of
-- values that follow for it, and these values:
-- 1, deadline: the user holds all of the seats; ms since the epoch, the earliest deadline of
-- the seats. A seat that the user held already keeps its deadline. If the call offers groups, the
-- place of the first seat of its group among the call's seats follows.
-- 0, i, ttl, ...: a conflict; nothing has changed for the call. A pair for each seat that
-- conflicts: its place among the call's seats, from 1 on; and its time to live, ms, if
-- another user holds it; -1 if it is sold to another user; -2 if it is free, but not of the
-- channel; -3 if it is sold to the user; -4 if it is blocked.
-- 2, held, sold, limit: the limit; nothing has changed for the call. How many seats the user has.
-- 3, on, ended: the event is not on sale; nothing has changed for the call. When its sale begins,
-- ms since the epoch, 0 if that was not set; and 1 if it has begun already, so it has ended.
-- 6, now, then, hold time, deadline: the Idempotency-Key was used for the same request, at that time;
-- nothing has changed for the call.
-- 7, now: the key was used for another request; nothing has changed for the call.

-- Without a sale, the index and the stream end this long, ms, after the last hold can end.
local grace = 600000

local keys, args = KEYS, ARGV -- locals are faster
local count = #keys - 2       -- of seats
local values = call('MGET', unpack(keys, 3))
local newDeadline = now + holdTime -- of the holds of this batch
local newLatest = now + math.max(holdTime, maxHoldTime or args[5])
local channel = args[6]
local onSaleNow = now >= (onSale or 0) and now < (offSale or math.huge)
local channels -- of the seats
if hasBlocked then
  local ids = {}
  for i = 1, count do
    ids[i] = sub(keys[2 + i], seatStart)
  end
  channels = call('HMGET', blockedKey, unpack(ids))
end

local newHolds = {}     -- key of a seat -> its user
local newIds = {}       -- the seats of newHolds
local newUsers = {}     -- the users of newIds, as a change has them
local newCount = 0      -- of newIds
local newCalls = 0      -- that have newIds
local newIdsByUser = {} -- key of a user's seats -> which of newIds they are; only with a limit
local answers = {}      -- key of a request -> the request, and the reply to remember
local reply, size = {now, holdTime}, 2

-- Returns the reply to a request that was made before, also by a call of this batch, nil if it
-- was not.
local function replayOf(request)
  local answer = request and answers[request.key]
  if not answer then
    return replay(request)
  elseif answer.request.fingerprint ~= request.fingerprint then
    return {7, now}
  end
  return {6, now, unpack(answer.reply)}
end

local freeKeys = {} -- of the group: the first freeCount; the others are of earlier groups
local seat = 1
while seat <= count do
  local user, request, repeated, isChoice = args[6 + seat], nil, nil, false
  if find(user, ' ', 1, true) then
    isChoice = string.byte(user) == 32
    user, request = parseCaller(isChoice and sub(user, 2) or user)
    repeated = replayOf(request)
  end
  local first, start = seat, size -- conflicts go after start + 2
  local group, freeCount, earliest, mark
  repeat
    group, freeCount, earliest = seat, 0, nil
    local sizeBefore = size
    repeat
      local key, owner, deadline = keys[2 + seat], nil, nil
      if values[seat] then
        owner, deadline = parse(values[seat])
      elseif newHolds[key] then
        owner, deadline = newHolds[key], newDeadline
      end
      local ofChannel = channel == (channels and channels[seat] or '')
      if not owner and ofChannel then
        freeCount = freeCount + 1
        freeKeys[freeCount] = key
      elseif owner == user and deadline and not isChoice then
        earliest = math.min(earliest or deadline, deadline)
      elseif not repeated then
        size = math.max(size, start + 2) + 2
        reply[size - 1] = 1 + seat - first
        reply[size] = owner == user and not deadline and -3 or ttl(key, owner, deadline)
      end
      seat = seat + 1
      mark = args[6 + seat]
    until mark ~= ''
    if size == sizeBefore then
      size = start -- without the conflicts of the groups before
    end
  until size == start or mark ~= ' '
  while mark == ' ' or mark == '' do -- the groups after
    seat = seat + 1
    mark = args[6 + seat]
  end

  if repeated then
    reply[size + 1] = #repeated
    for i, value in ipairs(repeated) do
      reply[size + 1 + i] = value
    end
    size = size + 1 + #repeated
  elseif size > start then
    reply[start + 1], reply[start + 2] = size - start - 1, 0
  elseif freeCount > 0 and channel == '' and not onSaleNow then
    reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4] = 3, 3, onSale or 0, now >= (onSale or 0) and 1 or 0
    size = size + 4
  else
    local userSeats, all
    if limit > 0 and freeCount > 0 then
      userSeats = 'user:' .. tag .. ':' .. user
      all = call('ZCOUNT', userSeats, now, '+inf') + #(newIdsByUser[userSeats] or {})
    end
    if userSeats and all + freeCount > limit then
      local sold = call('ZCOUNT', userSeats, '+inf', '+inf')
      reply[size + 1], reply[size + 2], reply[size + 3], reply[size + 4], reply[size + 5] = 4, 2, all - sold, sold, limit
      size = size + 5
    else
      local mark = user
      for i = 1, freeCount do
        local key = freeKeys[i]
        local id = sub(key, seatStart)
        newCount = newCount + 1
        newHolds[key], newIds[newCount], newUsers[newCount] = user, id, mark
        mark = ''
        if userSeats then
          newIdsByUser[userSeats] = newIdsByUser[userSeats] or {}
          table.insert(newIdsByUser[userSeats], id)
        end
      end
      if freeCount > 0 then
        newCalls = newCalls + 1
        earliest = math.min(earliest or newDeadline, newDeadline)
      end
      reply[size + 1], reply[size + 2], reply[size + 3] = 2, 1, earliest
      size = size + 3
      if isChoice then
        reply[size - 2], reply[size + 1] = 3, 1 + group - first
        size = size + 1
      end
      if request then
        answers[request.key] = {request = request, reply = {now, holdTime, earliest},
          seats = isChoice and {unpack(newIds, newCount - freeCount + 1)}}
      end
    end
  end
end
for i = size + 1, #reply do
  reply[i] = nil -- conflicts of groups before one that was free
end
if newCount > 0 then
  -- The remaining reads come before the first write, because they may fail.
  for userSeats in pairs(newIdsByUser) do
    checkTypes(userSeats)
  end
  local isNewStream = readLastChange()
  if hasBlocked then
    call('HLEN', blockedKey)
  end
  local expired = expiredSeats()

  -- As text, because Redis would format a number for each seat.
  local deadline, latest = string.format('%d', newDeadline), string.format('%d', newLatest)
  local prefix = heldValue(deadline, latest, '')
  -- SET comes first: when memory is full, Redis refuses it. It refuses only the first write of
  -- a script.
  for key, user in pairs(newHolds) do
    call('SET', key, prefix .. user, 'PXAT', deadline)
  end
  for _, id in ipairs(expired) do
    recordExpired(id)
  end
  local remaining = kept and -1 or call('PTTL', index) -- -2: the index is new
  if addSeats(index, newIds, deadline, 'NX') < newCount then
    for i, score in ipairs(call('ZMSCORE', index, unpack(newIds))) do
      if tonumber(score) ~= newDeadline then -- of an earlier hold, whose key is gone
        recordExpired(newIds[i])
      end
    end
    remaining = kept and -1 or call('PTTL', index) -- without seats Redis removes it
    addSeats(index, newIds, deadline)
  end
  local users = table.concat(newUsers, ' ')
  if channel == '' then
    appendChange('held', newIds, newCalls, 'users', users, 'deadline', deadline)
  else
    appendChange('held', newIds, newCalls, 'users', users, 'deadline', deadline, 'channel', channel)
  end

  local ends = newLatest + 2 * grace
  if remaining == -2 or remaining >= 0 and remaining < newLatest + grace - now then
    extendTTL(index, remaining == -2, ends)
    extendTTL(stream, isNewStream, ends)
  end
  for userSeats, ids in pairs(newIdsByUser) do
    addSeats(userSeats, ids, deadline)
    call('ZREMRANGEBYSCORE', userSeats, '-inf', '(' .. now)
    extendTTL(userSeats, call('ZCARD', userSeats) == #ids, ends)
  end
end
for _, answer in pairs(answers) do
  remember(answer.request, answer.reply, answer.seats)
end
return reply
