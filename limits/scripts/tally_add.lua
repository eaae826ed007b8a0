-- tally_add: adds numbers to buckets of a holder, once for each record however often it is delivered.
-- KEYS: 1 holder hash, 2 applied hash (source -> last sequence number), 3 sealed zset of hours, 4... buckets
-- ARGV: 1 source, 2 first and 3 last sequence number, 4 oldest hour that takes anything, 5 number of additions;
--       of each: bucket (its place in KEYS), field, hour (0: none), ttl_s, numbers;
--       then notes, of each: bucket, field, ttl_s, most words, words
-- RETURNS: {1, last}: added; {2, last added before}: nothing was added, it is not before the first; {0, 0}: no such holder

local call = redis.call

-- A trunk without ceilings has no hash; its name is the policy's own, so it may be counted.
if string.sub(KEYS[1], 1, 7) ~= '{trunk:' and call('EXISTS', KEYS[1]) == 0 then
  return {0, 0}
end
local before = tonumber(call('HGET', KEYS[2], ARGV[1]) or '0')
if before >= tonumber(ARGV[2]) then
  return {2, before}
end

local oldest = tonumber(ARGV[4])
local sealed = {}
local function is_sealed(hour)
  if hour == '0' then
    return false
  end
  if sealed[hour] == nil then
    sealed[hour] = tonumber(hour) < oldest or call('ZSCORE', KEYS[3], hour) ~= false
  end
  return sealed[hour]
end

local function add(bucket, field, text)
  local old = call('HGET', bucket, field)
  if not old then
    call('HSET', bucket, field, text)
    return
  end
  local sum, at = {}, 0
  for number in string.gmatch(old, '%-?%d+') do
    sum[#sum + 1] = tonumber(number)
  end
  for number in string.gmatch(text, '%-?%d+') do
    at = at + 1
    sum[at] = (sum[at] or 0) + tonumber(number)
  end
  for i = 1, #sum do
    sum[i] = string.format('%.0f', sum[i])
  end
  call('HSET', bucket, field, table.concat(sum, ' '))
end

local at = 6
for _ = 1, tonumber(ARGV[5]) do
  local bucket, field, hour, ttl, text = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  at = at + 5
  if not is_sealed(hour) then
    add(bucket, field, text)
    call('EXPIRE', bucket, ttl)
  elseif field == 'all' then
    call('HINCRBY', bucket, 'late', string.match(text, '^%d+'))
    call('EXPIRE', bucket, ttl)
  end
end
while ARGV[at] do
  local bucket, field, ttl, most = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local kept = call('HGET', bucket, field) or ''
  local words = {}
  for word in string.gmatch(kept .. ' ' .. ARGV[at + 4], '%S+') do
    if #words < most then
      words[#words + 1] = word
    end
  end
  call('HSET', bucket, field, table.concat(words, ' '))
  call('EXPIRE', bucket, ttl)
  at = at + 5
end
call('HSET', KEYS[2], ARGV[1], ARGV[3])
return {1, tonumber(ARGV[3])}
