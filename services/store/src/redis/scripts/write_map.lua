#!lua
-- KEYS: meta, map. ARGV: cluster, me, expected version, new version, new map.
-- Returns 'written', 'not leader', or the highest version known where that is in the way.
local meta = redis.call('HMGET', KEYS[1], 'cluster', 'map', 'floor', 'leader', 'leader_until')
if meta[1] ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local map, floor = tonumber(meta[2]) or 0, tonumber(meta[3]) or 0
local expected, version = tonumber(ARGV[3]), tonumber(ARGV[4])
local value = ARGV[4] .. ':' .. ARGV[5]
if map == version and redis.call('GET', KEYS[2]) == value then
  return 'written'
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if meta[4] ~= ARGV[2] or now > (tonumber(meta[5]) or 0) then
  return 'not leader'
end
if map ~= expected or version <= math.max(map, floor) then
  return string.format('%.0f', math.max(map, floor))
end
redis.call('SET', KEYS[2], value)
redis.call('HSET', KEYS[1], 'map', ARGV[4])
return 'written'
