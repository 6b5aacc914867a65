-- ARGV: the fence, the revision known ('' for none), the session, how long to keep it in ms ('' for ever), the channel,
-- the name. Returns the new revision, or false if a later lease was given or the record has another revision.
local found, trouble = revision()
if trouble then return trouble end
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return false end
if (found or '') ~= ARGV[2] then return false end
local number = next_number(found)
redis.call('HSET', KEYS[1], 'revision', number, 'saved', text(now), 'session', ARGV[3])
if ARGV[4] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.call('HSET', KEYS[2], 'last', number)
redis.call('PEXPIRE', KEYS[2], REMEMBERED)
redis.call('PUBLISH', ARGV[5], ARGV[6])
return number
