#!lua flags=allow-oom
-- Beats go on when memory is full: a store that takes no turns must not lose its cluster as well.
-- KEYS: meta, nodes. ARGV: cluster, me, payload, newest map seen, silence in ms.
-- Returns now, up since, map, leader or '', leader until, time of this node's beat before or 0.
if redis.call('HGET', KEYS[1], 'cluster') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local meta = redis.call('HMGET', KEYS[1], 'last_beat', 'up_since', 'map', 'floor', 'leader', 'leader_until')
local last, since = tonumber(meta[1]), tonumber(meta[2])
if not last or not since or now - last > tonumber(ARGV[5]) or now < last then
  since = now
end
local floor = math.max(tonumber(meta[4]) or 0, tonumber(ARGV[4]))
local function text(number)
  return string.format('%.0f', number)
end
redis.call('HSET', KEYS[1], 'last_beat', text(now), 'up_since', text(since), 'floor', text(floor))
local before = redis.call('HGET', KEYS[2], ARGV[2])
local previous = before and tonumber(string.match(before, '^(%d+):')) or 0
redis.call('HSET', KEYS[2], ARGV[2], text(now) .. ':' .. ARGV[3])
return {now, since, tonumber(meta[3]) or 0, meta[5] or '', tonumber(meta[6]) or 0, previous}
