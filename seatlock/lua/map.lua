-- Reads every seat of an event that is not free. Before that it compares some of the
-- index with the seats' keys, because the keys decide: an operator may have deleted one.
--
-- KEYS, ARGV[1…2] -> see event.lua
-- ARGV[3] -> which page of the index to compare, of 200 seats each; any number from 0,
--            which is taken modulo the number of pages
--
-- Returns {now, id, {seat, deadline, ...}}: ms since the epoch, the id of the last
-- transition that this includes, and the seats with their deadlines (ms; inf: sold).

local pages = math.ceil(redis.call('ZCARD', seats) / 200)
local first = 200 * (ARGV[3] % math.max(1, pages))
local page = redis.call('ZRANGE', seats, first, first + 199, 'WITHSCORES')
local keys = {}
for i = 1, #page, 2 do
  keys[#keys + 1] = prefix .. page[i]
end
if #keys > 0 and redis.call('EXISTS', unpack(keys)) < #keys then
  local gone = {}
  for i = 1, #page, 2 do
    local held = page[i + 1] == 'inf' or tonumber(page[i + 1]) > now
    if held and redis.call('EXISTS', prefix .. page[i]) == 0 then
      gone[#gone + 1] = page[i]
    end
  end
  if #gone > 0 then
    redis.call('ZREM', seats, unpack(gone))
    note('released', gone, '')
  end
end

local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
return {now, last[1] and last[1][1] or '0-0', redis.call('ZRANGEBYSCORE', seats, now, '+inf', 'WITHSCORES')}
