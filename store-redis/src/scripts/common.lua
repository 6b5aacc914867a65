-- KEYS[1] is the record: revision, saved (µs since 1970), session. KEYS[2] is the lease: fence (of the last one given),
-- until (µs since 1970), last (the highest number given so far, as a fence or a revision).

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- How long the numbers are remembered after their last use, in ms: a week. They are times, so that what follows a
-- forgotten one is higher, unless the clock was put back by more than this.
local REMEMBERED = 604800000

-- Lua's own way to write a number would round it.
local function text(number)
  return string.format('%.0f', number)
end

local function foreign(key)
  return redis.error_reply('FOREIGN ' .. key)
end

local function kind(key)
  return redis.call('TYPE', key).ok
end

-- The revision of the record, or false where there is none; and an error where a key is none of ours.
local function revision()
  local lease = kind(KEYS[2])
  if lease ~= 'none' and lease ~= 'hash' then return false, foreign(KEYS[2]) end
  local record = kind(KEYS[1])
  if record == 'none' then return false end
  local found = record == 'hash' and redis.call('HGET', KEYS[1], 'revision')
  if not found or not found:match('^%d+$') then return false, foreign(KEYS[1]) end
  return found
end

-- A number that was never given before: higher than all that are remembered, and not before its time, so that a server
-- that has lost everything gives none again.
local function next_number(known)
  local last = tonumber(redis.call('HGET', KEYS[2], 'last')) or 0
  return text(math.max(now, last + 1, (tonumber(known) or 0) + 1))
end

