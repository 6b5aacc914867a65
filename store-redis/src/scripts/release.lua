-- ARGV: the fence. It stays, so that nobody gets it again.
local _, trouble = revision()
if trouble then return trouble end
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'until', '0')
return 1
