-- What every script begins with.
--
-- KEYS[1] -> seats:{event}, the index: every seat that is held or sold, scored by its
--            deadline (ms since the epoch; +inf: sold)
-- KEYS[2] -> changes:{event}, the stream of changes
-- ARGV[1] -> how many seats a user may have at the event; 0: no limit. Only with a limit,
--            user:{event}:user has that user's seats, scored as in the index
-- ARGV[2] -> not-after, ms since the epoch: the deadline of the call. A script that arrives
--            later must change nothing, because its caller has an answer already
-- ARGV[3] -> how long a hold lasts, ms
-- ARGV[4] -> the version of the plan that has the seats, 0 if the event has no settings; '':
--            any version
--
-- The settings of the event replace the limit and the hold time. They are in event:{event}, a
-- hash. Its field settings is <version>:<version of the plan>:<on sale>:<off sale>:<hold
-- time>:<longest hold time>:<limit>, times in ms, nothing where PUT set nothing; or "deleting".
-- Its field blocked is how many seats blocked:{event} has, a hash of seats and their channels.
-- Its field kept is how many changes to keep, if a Relay sends them; then the index and the
-- stream have no TTL.
--
-- A script that changes seats also has an ARGV "caller": the user, empty if the call has none.
-- With an Idempotency-Key it is <user> <fingerprint of the request> <how long to remember it,
-- ms> <key>.
--
-- Returns {-1, now}: it arrived too late; {-2, now}: the plan has another version; {-3, now}:
-- the event is being deleted; {7, now}: the key was used for another request. Nothing has
-- changed. {6, now, ...}: the key was used for the same request. Nothing has changed; after
-- now comes the first reply without its 1. now is ms since the epoch.

local call, find, sub = redis.call, string.find, string.sub
local index, stream = KEYS[1], KEYS[2]
local tag = sub(index, 7) -- {event}
local seatPrefix, eventKey, blockedKey = 'seat:' .. tag .. ':', 'event:' .. tag, 'blocked:' .. tag
local seatStart = #seatPrefix + 1 -- of a seat in its key

local time = call('TIME')
local micros = time[1] * 1000000 + time[2]  -- µs since the epoch
local now = (micros - micros % 1000) / 1000 -- ms since the epoch
if now > tonumber(ARGV[2]) then
  return {-1, now}
end

local event = call('HMGET', eventKey, 'settings', 'blocked', 'kept')
local settings, hasBlocked, kept = event[1], event[2], event[3]
local limit, holdTime = tonumber(ARGV[1]), tonumber(ARGV[3])
local version, planVersion = '0', '0'
local onSale, offSale, maxHoldTime -- nil where PUT set nothing
if settings then
  local on, off, hold, maxHold, eventLimit
  version, planVersion, on, off, hold, maxHold, eventLimit =
    string.match(settings, '^(%d+):(%d+):(%d*):(%d*):(%d*):(%d*):(%d*)$')
  if not version then
    return {-3, now}
  end
  limit, holdTime = tonumber(eventLimit) or limit, tonumber(hold) or holdTime
  onSale, offSale, maxHoldTime = tonumber(on), tonumber(off), tonumber(maxHold)
end
if ARGV[4] ~= '' and ARGV[4] ~= planVersion then
  return {-2, now}
end

-- Returns the user of a caller, and its request, nil without an Idempotency-Key. The key of a
-- request is request:{event}:<user> <key>, its value <fingerprint> <reply without its 1>, and, if
-- the script chose the seats, a semicolon and these.
local function parseCaller(caller)
  local space = find(caller, ' ', 1, true)
  if not space then
    return caller
  end
  local user = sub(caller, 1, space - 1)
  local fingerprint, lasts, key = string.match(caller, '^(%x+) (%d+) (.+)$', space + 1)
  return user, {key = 'request:' .. tag .. ':' .. user .. ' ' .. key, fingerprint = fingerprint, lasts = lasts}
end

-- Returns the reply to a request that was made before, nil if it was not. rewrite: it writes the
-- stored reply again, because WAIT waits only for writes of its own connection (since Redis 7.2).
local function replay(request, rewrite)
  local stored = request and call('MGET', request.key)[1]
  if not stored then
    return nil
  end
  local fingerprint, values = string.match(stored, '^(%x+) ([%d ]+)')
  if fingerprint ~= request.fingerprint then
    return {7, now}
  end
  if rewrite then
    call('SET', request.key, stored, 'KEEPTTL')
  end
  local reply = {6, now}
  for value in string.gmatch(values, '%d+') do
    reply[#reply + 1] = tonumber(value)
  end
  return reply
end

-- Remembers the reply to a request, a list without its 1. seats are nil unless the script chose them.
local function remember(request, reply, seats)
  if request then
    local value = request.fingerprint .. ' ' .. table.concat(reply, ' ') .. (seats and ';' .. table.concat(seats, ' ') or '')
    call('SET', request.key, value, 'PX', request.lasts)
  end
end

-- Returns the value of a held seat: held:<deadline>:<latest deadline>:<user>, both ms since
-- the epoch, of 13 digits until the year 2286. The value of a sold seat is
-- sold:<time of the sale>:<order> <user>; the order may be empty. Earlier versions wrote
-- sold:<user>.
local function heldValue(deadline, latest, user)
  return 'held:' .. deadline .. ':' .. latest .. ':' .. user
end

local function soldValue(order, user)
  return 'sold:' .. string.format('%d', now) .. ':' .. order .. ' ' .. user
end

-- Returns the user of a seat's value, nil if the seat is free; the deadline, nil unless it is
-- held; and the order, nil unless it is sold. That takes a third of the time of a PTTL.
local function parse(value)
  if not value then
    return nil
  elseif string.byte(value) == 104 then -- h
    return sub(value, 34), tonumber(sub(value, 6, 18))
  end
  local space = find(value, ' ', 6, true)
  if not space then
    return sub(value, 6), nil, ''
  end
  return sub(value, space + 1), nil, sub(value, 20, space - 1)
end

-- Returns the time to live of the seat of a key with this user and deadline, ms; -1 if it is sold, -2
-- if it is free, -4 if it is blocked. It is the hold time at most: if the clock went back, the
-- deadline is farther.
local function ttl(key, user, deadline)
  if deadline then
    return math.min(math.max(0, deadline - now), holdTime)
  elseif user then
    return -1
  end
  return hasBlocked and call('HEXISTS', blockedKey, sub(key, seatStart)) == 1 and -4 or -2
end

-- Fails if a key that the script will write has a wrong type. userSeats counts only with a
-- limit. After the first write nothing may fail, because Redis does not roll back.
local function checkTypes(userSeats)
  call('ZCARD', index)
  call('XLEN', stream)
  if limit > 0 and userSeats then
    call('ZCARD', userSeats)
  end
  if hasBlocked then
    call('HLEN', blockedKey)
  end
end

-- Appends a change of the seats ids, of so many users. Its other fields and their values follow:
--
-- deadline -> of held and extended, ms since the epoch
-- users    -> the user of each seat; empty: as the seat before. Without those at the end: "ann"
--             for one user, "ann  bob" if the first two seats are ann's, and the third one bob's
-- order    -> of sold, returned and exchanged, unless it is empty
-- channel  -> of blocked, unblocked and held, unless it is empty
-- to       -> of exchanged: the new seats
--
-- Its ID is <epoch>-<offset>. The epoch is the time of the event's first change, so a Redis that
-- lost its data has another. The offset is the time of this change, or more: it is greater than
-- the last one by the number of users at least, so that each user's part can have an ID, too.
-- Both are µs since the epoch.
--
-- The first change after 10 ms without one is announced on the channel changes:{event}.
-- Views read for longer than that after each change, so they need no other. If the clock went
-- back, each change is announced.
local epoch, offset -- of the last change; nil: not read yet
local announces     -- this script: its first change

-- Reads the ID of the last change. Returns whether there is none.
local function readLastChange()
  local last = call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
  if last then
    local id = last[1]
    local dash = find(id, '-', 1, true)
    epoch, offset = sub(id, 1, dash), tonumber(sub(id, dash + 1))
  else
    epoch, offset = string.format('%d-', micros), 0
  end
  announces = micros - offset >= 10000 or offset - micros >= 10000
  return not last
end

local function appendChange(kind, ids, users, ...)
  if not epoch then
    readLastChange()
  end
  offset = offset + users
  if offset < micros then
    offset = micros
  end
  local seats, maxLen = table.concat(ids, ' '), kept or '10000'
  local id = epoch .. string.format('%d', offset)
  if type(redis.pcall('XADD', stream, 'MAXLEN', '~', maxLen, id, 'type', kind, 'seats', seats, ...)) == 'table' then
    -- An operator deleted the last change, and Redis wants a greater ID.
    redis.pcall('XADD', stream, 'MAXLEN', '~', maxLen, '*', 'type', kind, 'seats', seats, ...)
  end
  if announces then
    redis.pcall('PUBLISH', stream, '') -- if the user may not, views notice the change later
    announces = false
  end
end

-- Returns the fields of a change of one user. order may be nil.
local function ownerFields(user, order)
  if order and order ~= '' then
    return 'users', user, 'order', order
  end
  return 'users', user
end

-- Appends a change that ends holds or sales of seats, and blocked changes for those of them that
-- are kept for a channel.
local function appendEnd(kind, ids, ...)
  appendChange(kind, ids, 1, ...)
  if not hasBlocked then
    return
  end
  local blocked = {} -- channel -> seats
  for i, channel in ipairs(call('HMGET', blockedKey, unpack(ids))) do
    if channel then
      blocked[channel] = blocked[channel] or {}
      table.insert(blocked[channel], ids[i])
    end
  end
  for channel, seats in pairs(blocked) do
    appendChange('blocked', seats, 1, 'channel', channel)
  end
end

-- Extends the TTL of key to a time, ms since the epoch, unless a sale has removed it. isNew:
-- this script made the key.
local function extendTTL(key, isNew, ends)
  ends = string.format('%d', ends)
  if isNew then
    call('PEXPIREAT', key, ends)
  else
    call('PEXPIREAT', key, ends, 'GT') -- to GT, no TTL is the longest
  end
end

-- Adds ids with their deadline ('+inf': sold) to the sorted set, and returns how many it did not
-- have. With the option 'NX' those that it has keep their deadlines.
local function addSeats(set, ids, deadline, option)
  local args = {}
  for i, id in ipairs(ids) do
    args[2 * i - 1], args[2 * i] = deadline, id
  end
  if option then
    return call('ZADD', set, option, unpack(args))
  end
  return call('ZADD', set, unpack(args))
end

-- Appends an expired change for a seat, once: the seat leaves the index with it.
local function recordExpired(id)
  if call('ZREM', index, id) == 1 then
    appendEnd('expired', {id})
  end
end

-- Returns the seats of the index whose deadline has passed and whose key is gone, the earliest
-- first, from the first 200. The key decides, because Redis may still have it when TIME is
-- past its deadline.
local function expiredSeats()
  local ids = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', '0', '200')) do
    if call('EXISTS', seatPrefix .. id) == 0 then
      ids[#ids + 1] = id
    end
  end
  return ids
end
