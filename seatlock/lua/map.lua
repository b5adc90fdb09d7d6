-- Reads every seat of an event that is not free.
--
-- KEYS, ARGV -> see event.lua
--
-- Returns {now, id, {seat, deadline, ...}}: ms since the epoch, the id of the last
-- transition that this includes, and the seats with their deadlines (ms; inf: sold).

local now = milliseconds()
local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
return {now, last[1] and last[1][1] or '0-0', redis.call('ZRANGEBYSCORE', seats, now, '+inf', 'WITHSCORES')}
