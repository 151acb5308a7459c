#!lua
-- KEYS: fence. ARGV: token, what the fence becomes.
-- Returns 1 when released, 0 when fenced.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
