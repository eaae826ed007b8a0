-- Time travel without waiting: every instant kept of an account moves into the past.
-- KEYS: 1 account hash, 2 leases, 3 calls, 4 expired, 5 reverts, 6... tombstones; ARGV: 1 ms
local ms = tonumber(ARGV[1])
local function back(value) return string.format('%.0f', value - ms) end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i] == 'refilled_ms' or string.sub(fields[i], 1, 5) == 'pref:'
    or (fields[i] == 'revert_at' and fields[i + 1] ~= '') then
    redis.call('HSET', KEYS[1], fields[i], back(fields[i + 1]))
  end
end
local function older(key)
  local scores = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #scores, 2 do redis.call('ZADD', key, scores[i + 1] - ms, scores[i]) end
end
older(KEYS[2])
older(KEYS[4])
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. ':freq:*')) do older(key) end
-- Days are whole: an age that is none leaves them.
local days = math.floor(ms / 86400000)
local shares = redis.call('HGETALL', KEYS[1] .. ':share')
redis.call('DEL', KEYS[1] .. ':share')
for i = 1, #shares, 2 do
  local kind, day = string.match(shares[i], '^([pr]:)(%d+)$')
  if kind then
    redis.call('HSET', KEYS[1] .. ':share', kind .. string.format('%.0f', day - days), shares[i + 1])
  else
    redis.call('HSET', KEYS[1] .. ':share', shares[i], string.format('%.0f', shares[i + 1] - days))
  end
end
local calls = redis.call('HGETALL', KEYS[3])
for i = 1, #calls, 2 do
  local _, _, admitted, answered, renewed, rest = string.find(calls[i + 1], '^(%d+) (%d+) (%d+) (.*)$')
  if answered ~= '0' then answered = back(answered) end
  redis.call('HSET', KEYS[3], calls[i], table.concat({ back(admitted), answered, back(renewed), rest }, ' '))
  local _, _, prefix, member = string.find(rest, '^%d+ %d+ %d+ %S+ (%S+) (%S+) ')
  for _, part in ipairs({ prefix, '@' .. member }) do
    local score = redis.call('ZSCORE', KEYS[2] .. ':' .. part, calls[i])
    if score then redis.call('ZADD', KEYS[2] .. ':' .. part, score - ms, calls[i]) end
  end
end
local reverts = redis.call('HGETALL', KEYS[5])
for i = 1, #reverts, 2 do
  local _, _, at, value = string.find(reverts[i + 1], '^(%d+) (.*)$')
  redis.call('HSET', KEYS[5], reverts[i], back(at) .. ' ' .. value)
end
for i = 6, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  if left < ms then redis.call('DEL', KEYS[i]) else redis.call('PEXPIRE', KEYS[i], left - ms) end
end
