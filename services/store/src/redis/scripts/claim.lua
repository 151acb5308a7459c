#!lua
-- KEYS: fence. ARGV: me, map, force ('1' or '0'), floor.
-- Returns {'ours', epoch}, {'held', holder} or {'stale', map}.
local fence = redis.call('GET', KEYS[1])
if not fence then
  return redis.error_reply('STORELOST the fence of a shard is gone')
end
local epoch, holder, map = string.match(fence, '^(%d+):(%w+):(%d+)$')
if not epoch then
  epoch, map = string.match(fence, '^(%d+):%-:(%d+)$')
  holder = '-'
end
if not epoch then
  return redis.error_reply('CORRUPT the fence of a shard cannot be read')
end
if tonumber(ARGV[2]) < tonumber(map) then
  return {'stale', map}
end
if holder ~= '-' and holder ~= ARGV[1] and ARGV[3] ~= '1' then
  return {'held', holder}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local new = string.format('%.0f', math.max(tonumber(epoch) + 1, tonumber(ARGV[4]) + 1, now))
redis.call('SET', KEYS[1], new .. ':' .. ARGV[1] .. ':' .. ARGV[2])
return {'ours', new}
