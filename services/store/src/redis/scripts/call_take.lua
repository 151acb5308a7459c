#!lua
-- KEYS: leases of the tenant, its counts of the month. ARGV: call, limit or '', life of the lease in ms, bot, life of the
-- counts in ms.
-- Returns 1, calls now, calls of the bot in the month; or 0, calls now, 0 when there are as many as may be.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local life = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
local calls = redis.call('ZCARD', KEYS[1])
if not held and ARGV[2] ~= '' and calls >= tonumber(ARGV[2]) then
  return {0, calls, 0}
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + life), ARGV[1])
if redis.call('PTTL', KEYS[1]) < life then
  redis.call('PEXPIRE', KEYS[1], life)
end
if held then
  return {1, calls, tonumber(redis.call('HGET', KEYS[2], ARGV[4]) or 0)}
end
local count = redis.call('HINCRBY', KEYS[2], ARGV[4], 1)
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {1, calls + 1, count}
