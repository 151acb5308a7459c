#!lua flags=allow-oom
-- KEYS: meta, nodes. ARGV: me. Returns 1.
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('HGET', KEYS[1], 'leader') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'leader', 'leader_until')
end
return 1
