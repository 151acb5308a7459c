#!lua flags=no-writes
-- KEYS: meta, nodes. ARGV: cluster, silence in ms.
-- Returns now, up since, then nodes and beats in turn. Judges silence as `beat` does: whoever reads first after an outage
-- must not take everybody for dead.
if redis.call('HGET', KEYS[1], 'cluster') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local meta = redis.call('HMGET', KEYS[1], 'last_beat', 'up_since')
local last, since = tonumber(meta[1]), tonumber(meta[2])
if not last or not since or now - last > tonumber(ARGV[2]) or now < last then
  since = now
end
return {now, since, redis.call('HGETALL', KEYS[2])}
