#!lua flags=allow-oom
-- As beats do, announcements go on when memory is full: a host that carries calls must not be taken for dead.
-- KEYS: meta, media hosts. ARGV: cluster, name, entry, life in ms. Returns 1.
-- Entries stand as `end of life:bytes`; whoever announces removes those that have ended.
if redis.call('HGET', KEYS[1], 'cluster') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local hosts = redis.call('HGETALL', KEYS[2])
for place = 1, #hosts, 2 do
  local ends = tonumber(string.match(hosts[place + 1], '^(%d+):'))
  if not ends or ends <= now then
    redis.call('HDEL', KEYS[2], hosts[place])
  end
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', now + tonumber(ARGV[4])) .. ':' .. ARGV[3])
return 1
