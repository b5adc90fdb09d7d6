-- Moves the cursor of an event, appends an expired change for each hold whose deadline has passed,
-- and takes or renews the lease if entries after the cursor wait, or if the cursor is not where the
-- owner left it; otherwise the owner's lease ends. Only the owner of the lease sends entries. If there
-- is nothing to do, it writes nothing.
--
-- KEYS[1…2], ARGV[1…4] -> see event.lua
-- KEYS[3] -> relay:{event}, a hash: cursor, the ID of the last entry that was sent; owner, and ends,
--            ms since the epoch: the lease
-- ARGV[5] -> the owner
-- ARGV[6] -> the cursor that the owner has read; '': it has no lease
-- ARGV[7] -> the last entry that the owner has sent, '' for none: with a lease, the new cursor
-- ARGV[8] -> how long a lease lasts, ms; 0: it ends
-- ARGV[9] -> how many changes to keep while they wait
--
-- Returns {1, now, cursor, last, wait, version, leased}: ms since the epoch; the cursor; the ID of
-- the last change, 0-0 for none; how long until the next hold ends, ms, 0 if more have ended, -1 if
-- no seat is held; the version of the event; and 1 if the owner has the lease.
-- Returns {4, now}: there is no such event. {5, now, remaining}: another owner has the lease, for as
-- many ms; 0: the owner has lost it. Nothing has changed.

if not settings then
  return {4, now}
end
local state = call('HMGET', KEYS[3], 'cursor', 'owner', 'ends')
local cursor, isOwner, remaining = state[1] or '0-0', state[2] == ARGV[5], (tonumber(state[3]) or 0) - now
if ARGV[6] ~= '' and not (isOwner and (cursor == ARGV[6] or cursor == ARGV[7])) then
  return {5, now, 0}
end
local leaseTime = tonumber(ARGV[8])
-- If more remains than a lease lasts, the clock went back: the lease does not count.
if not isOwner and remaining > 0 and remaining <= leaseTime then
  return {5, now, remaining}
end
checkTypes()
local expired = expiredSeats()

if ARGV[6] ~= '' and cursor ~= ARGV[7] then
  cursor = ARGV[7]
  call('HSET', KEYS[3], 'cursor', cursor)
end
if kept ~= ARGV[9] then
  kept = ARGV[9]
  call('HSET', eventKey, 'kept', kept)
  call('PERSIST', index)
  call('PERSIST', stream)
end
for _, id in ipairs(expired) do
  recordExpired(id)
end
local last = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
last = last and last[1] or '0-0'
local leased = leaseTime > 0 and (cursor ~= last or ARGV[7] ~= '' and ARGV[7] ~= cursor)
if leased then
  call('HSET', KEYS[3], 'owner', ARGV[5], 'ends', string.format('%d', now + leaseTime))
elseif isOwner then
  call('HDEL', KEYS[3], 'owner', 'ends')
end
if cursor == last and call('XLEN', stream) > 11000 then -- 1,000 at a time or more
  call('XTRIM', stream, 'MAXLEN', '~', 10000)
end

local wait, nearest = -1, call('ZRANGE', index, 0, 0, 'WITHSCORES')
if #nearest > 0 and nearest[2] ~= 'inf' then
  wait = math.max(0, nearest[2] - now + 1)
end
return {1, now, cursor, last, wait, tonumber(version), leased and 1 or 0}
