-- KEYS[1] is the record: revision, saved (µs since 1970), session. KEYS[2] is the lease: fence (of the last one given),
-- until (µs since 1970), last (the highest number given so far, as a fence or a revision).

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- How long the key of the lease is kept after its last use, in ms: a week. Numbers are times. So the number after a
-- forgotten one is higher, unless the clock was set back by more than a week.
local REMEMBERED = 604800000

-- Lua's default format would round the number.
local function text(number)
  return string.format('%.0f', number)
end

local function foreign(key)
  return redis.error_reply('FOREIGN ' .. key)
end

local function kind(key)
  return redis.call('TYPE', key).ok
end

-- Returns the revision of the record, or false if there is no record. The second value is an error if another program
-- has written one of the keys.
local function revision()
  local lease = kind(KEYS[2])
  if lease ~= 'none' and lease ~= 'hash' then return false, foreign(KEYS[2]) end
  local record = kind(KEYS[1])
  if record == 'none' then return false end
  local found = record == 'hash' and redis.call('HGET', KEYS[1], 'revision')
  if not found or not found:match('^%d+$') then return false, foreign(KEYS[1]) end
  return found
end

-- Returns a number that was never given before. It is higher than all remembered numbers, and at least the time. So a
-- server that has lost everything does not give a number again.
local function next_number(known)
  local last = tonumber(redis.call('HGET', KEYS[2], 'last')) or 0
  return text(math.max(now, last + 1, (tonumber(known) or 0) + 1))
end

