-- Returns for how many µs the lease is still held, or false if it is not held.
local _, trouble = revision()
if trouble then return trouble end
local held_until = tonumber(redis.call('HGET', KEYS[2], 'until')) or 0
if held_until <= now then return false end
return text(held_until - now)
