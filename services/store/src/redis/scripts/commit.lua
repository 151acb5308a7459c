#!lua
-- KEYS: fence, record, inbox, wake index, index of parked work, and the answer when there is one.
-- ARGV: token, expected header, record or '', retention in ms or '', wake ('keep', 'never' or a time in ms), member,
--       answer or '', parked ('keep', 'nothing' or a time in ms), number of done fields, the done fields, then accepted
--       fields and values in turn.
-- Returns 1 when written, 0 when fenced, the stored header on a conflict.
-- Lua is never rolled back: validate first, write last.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local header = redis.call('GETRANGE', KEYS[2], 0, 15)
if header == '' then
  header = string.rep('\0', 16)
end
local record = ARGV[3]
if header ~= ARGV[2] then
  if record ~= '' and header == string.sub(record, 1, 16) then
    return 1
  end
  return header
end
if record ~= '' then
  if ARGV[4] == '' then
    redis.call('SET', KEYS[2], record)
  else
    redis.call('SET', KEYS[2], record, 'PX', ARGV[4])
  end
end
local accepted = 10 + ARGV[9]
for field = 10, accepted - 1 do
  redis.call('HDEL', KEYS[3], ARGV[field])
end
for field = accepted, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[field], ARGV[field + 1])
end
local wake = ARGV[5]
if wake == 'never' then
  redis.call('ZREM', KEYS[4], ARGV[6])
elseif wake ~= 'keep' then
  redis.call('ZADD', KEYS[4], wake, ARGV[6])
end
local parked = ARGV[8]
if parked == 'nothing' then
  redis.call('ZREM', KEYS[5], ARGV[6])
elseif parked ~= 'keep' then
  redis.call('ZADD', KEYS[5], parked, ARGV[6])
end
if KEYS[6] then
  redis.call('SET', KEYS[6], ARGV[7], 'PX', 120000)
end
return 1
