-- Reads every seat of an event that is held or sold. First it compares a page of the index
-- with the seats' keys: an operator may have deleted a key, and the keys decide.
--
-- KEYS, ARGV[1…2] -> see event.lua
-- ARGV[3] -> the page to compare, from 0 on, modulo the number of pages; a page has 200 seats
--
-- Returns {now, id, {seat, deadline, ...}}: ms since the epoch; the ID of the last change in
-- the snapshot, 0-0 if there is none; and the seats with their deadlines (ms since the epoch;
-- inf: sold).

local pages = math.ceil(redis.call('ZCARD', index) / 200)
local first = 200 * (ARGV[3] % math.max(1, pages))
local page = redis.call('ZRANGE', index, first, first + 199, 'WITHSCORES')
local keys = {}
for i = 1, #page, 2 do
  keys[#keys + 1] = seatPrefix .. page[i]
end
if #keys > 0 and redis.call('EXISTS', unpack(keys)) < #keys then
  local deleted = {}
  for i = 1, #page, 2 do
    local current = page[i + 1] == 'inf' or tonumber(page[i + 1]) > now
    if current and redis.call('EXISTS', seatPrefix .. page[i]) == 0 then
      deleted[#deleted + 1] = page[i]
    end
  end
  if #deleted > 0 then
    redis.call('ZREM', index, unpack(deleted))
    appendChange('released', deleted, '')
  end
end

local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
return {now, last[1] and last[1][1] or '0-0', redis.call('ZRANGEBYSCORE', index, now, '+inf', 'WITHSCORES')}
