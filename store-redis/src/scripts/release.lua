-- ARGV: the fence. The key keeps it, so that no later lease gets the same fence.
local _, trouble = revision()
if trouble then return trouble end
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'until', '0')
return 1
