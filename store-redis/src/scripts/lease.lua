-- ARGV: the time in µs, the channel, the name. Returns the fence, or false if the last lease has not ended.
local found, trouble = revision()
if trouble then return trouble end
local held_until = tonumber(redis.call('HGET', KEYS[2], 'until')) or 0
if held_until > now then return false end
local fence = next_number(found)
redis.call('HSET', KEYS[2], 'fence', fence, 'until', text(now + ARGV[1]), 'last', fence)
redis.call('PEXPIRE', KEYS[2], REMEMBERED)
redis.call('PUBLISH', ARGV[2], ARGV[3])
return fence
