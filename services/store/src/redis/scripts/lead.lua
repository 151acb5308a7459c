#!lua flags=allow-oom
-- KEYS: meta. ARGV: cluster, me, lease in ms. Returns leader, until.
if redis.call('HGET', KEYS[1], 'cluster') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local meta = redis.call('HMGET', KEYS[1], 'leader', 'leader_until')
local leader, ends = meta[1], tonumber(meta[2]) or 0
local fresh = now + tonumber(ARGV[3])
-- A lease that ends later than a fresh one was given by a clock that has stepped back since.
if leader and leader ~= ARGV[2] and now <= ends and ends <= fresh then
  return {leader, ends}
end
redis.call('HSET', KEYS[1], 'leader', ARGV[2], 'leader_until', string.format('%.0f', fresh))
return {ARGV[2], fresh}
