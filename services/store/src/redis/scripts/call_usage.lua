#!lua flags=no-writes
-- KEYS: leases of a tenant, its counts of a month. Returns calls now, then bots and counts in turn.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return {redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now), '+inf'), redis.call('HGETALL', KEYS[2])}
