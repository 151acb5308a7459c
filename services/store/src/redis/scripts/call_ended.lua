#!lua
-- KEYS: ended calls of a day. ARGV: when the call ended in ms, the entry, end of life of that day's log in ms.
-- A day lives as long as the longest-lived entry that was put into it.
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
local ends = tonumber(ARGV[3])
if redis.call('PEXPIRETIME', KEYS[1]) < ends then
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 1
