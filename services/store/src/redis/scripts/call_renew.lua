#!lua
-- KEYS: leases of the tenant. ARGV: call, life in ms.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local life = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + life), ARGV[1])
if redis.call('PTTL', KEYS[1]) < life then
  redis.call('PEXPIRE', KEYS[1], life)
end
return 1
