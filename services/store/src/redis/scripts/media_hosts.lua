#!lua flags=no-writes
-- KEYS: meta, media hosts. ARGV: cluster. Returns pairs of name and entry of the hosts whose life has not run out.
if redis.call('HGET', KEYS[1], 'cluster') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store is another one or empty')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local hosts = redis.call('HGETALL', KEYS[2])
local living = {}
for place = 1, #hosts, 2 do
  local ends, entry = string.match(hosts[place + 1], '^(%d+):(.*)$')
  if ends and tonumber(ends) > now then
    living[#living + 1] = {hosts[place], entry}
  end
end
return living
