-- commit: a document gets its next version, if it is still at the expected one; all its parts must have been brought.
-- KEYS: 1 head hash, 2 versions hash, 3... parts
-- ARGV: 1 expected generation ('' whatever it is), 2 entry (JSON), 3 versions kept, 4 beginning of part keys, 5 channel
-- RETURNS: {1, new generation, now_ms}, {2, generation found, 0}, {3, index of a part that is not there, 0}

local head, versions = KEYS[1], KEYS[2]

local found = tonumber(redis.call('HGET', head, 'generation') or '0')
if ARGV[1] ~= '' and found ~= tonumber(ARGV[1]) then
  return {2, found, 0}
end
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    return {3, i - 3, 0}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation = found + 1
for i = 3, #KEYS do
  redis.call('PERSIST', KEYS[i])
end
redis.call('HSET', versions, generation, ARGV[2], generation .. ':at', now)
redis.call('HSET', head, 'generation', generation, 'at', now)
local oldest = generation - tonumber(ARGV[3])
local gone = oldest > 0 and redis.call('HGET', versions, oldest)
if gone then
  redis.call('HDEL', versions, oldest, oldest .. ':at')
  local kept = {}
  local entries = redis.call('HVALS', versions)
  for i = 1, #entries do
    for name in string.gmatch(entries[i], '"sha256":"(%x+)"') do
      kept[name] = true
    end
  end
  for name in string.gmatch(gone, '"sha256":"(%x+)"') do
    if not kept[name] then
      redis.call('DEL', ARGV[4] .. name)
    end
  end
end
redis.call('PUBLISH', ARGV[5], generation)
return {1, generation, now}
