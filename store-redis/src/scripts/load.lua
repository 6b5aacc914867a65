-- Returns the revision, the session and its age in µs, or false if there is no record. The age is negative if the clock
-- was set back.
local found, trouble = revision()
if trouble then return trouble end
if not found then return false end
local fields = redis.call('HMGET', KEYS[1], 'session', 'saved')
local saved = tonumber(fields[2])
if not fields[1] or not saved then return foreign(KEYS[1]) end
return { found, fields[1], text(now - saved) }
