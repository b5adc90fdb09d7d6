-- Appends an expired change for each hold whose deadline has passed, and reads the changes
-- after a position.
--
-- With a page it first compares that page of the index with the seats' keys: an operator may
-- have deleted a key, and the keys decide.
--
-- KEYS, ARGV[1…4] -> see event.lua
-- ARGV[5] -> the position: the ID of a change; 0-0 for the beginning; '' to read no changes
-- ARGV[6] -> how many changes to read at most
-- ARGV[7] -> the page, from 0 on, modulo the number of pages; a page has 200 seats; -1: none
--
-- Returns {now, last, size, lapsed, wait, blocked, holdTime, changes}: ms since the epoch; the ID of the last
-- change, 0-0 if there is none; how many seats the index has; how many of these are holds
-- whose deadline has passed; how long until the next hold ends, ms, 0 if more have ended, -1
-- if no seat is held; how many seats are blocked; the hold time, ms; and the entries of the
-- stream, nil if Redis does not have the position.
checkTypes()
local page = tonumber(ARGV[7])
if page >= 0 then
  local pages = math.ceil(call('ZCARD', index) / 200)
  local first = 200 * (page % math.max(1, pages))
  local seats, keys = call('ZRANGE', index, first, first + 199, 'WITHSCORES'), {}
  for i = 1, #seats, 2 do
    keys[#keys + 1] = seatPrefix .. seats[i]
  end
  if #keys > 0 and call('EXISTS', unpack(keys)) < #keys then
    local deleted = {}
    for i = 1, #seats, 2 do
      local current = seats[i + 1] == 'inf' or tonumber(seats[i + 1]) > now
      if current and call('EXISTS', seatPrefix .. seats[i]) == 0 then
        deleted[#deleted + 1] = seats[i]
      end
    end
    if #deleted > 0 then
      call('ZREM', index, unpack(deleted))
      appendEnd('released', deleted)
    end
  end
end
for _, id in ipairs(expiredSeats()) do
  recordExpired(id)
end

local wait, nearest = -1, call('ZRANGE', index, 0, 0, 'WITHSCORES')
if #nearest > 0 and nearest[2] ~= 'inf' then
  wait = math.max(0, nearest[2] - now + 1)
end
local after, changes = ARGV[5], {}
if after == '0-0' then
  changes = call('XRANGE', stream, '-', '+', 'COUNT', ARGV[6])
  if call('XLEN', stream) >= 10000 then -- a shorter stream was never trimmed
    changes = false
  end
elseif after ~= '' then
  changes = call('XRANGE', stream, after, '+', 'COUNT', ARGV[6] + 1)
  if changes[1] and changes[1][1] == after then
    table.remove(changes, 1)
  else
    changes = false
  end
end
local last = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
return {now, last and last[1] or '0-0', call('ZCARD', index), call('ZCOUNT', index, '-inf', '(' .. now), wait, tonumber(hasBlocked) or 0, holdTime, changes}
