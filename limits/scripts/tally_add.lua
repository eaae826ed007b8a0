-- tally_add: adds numbers to buckets of some holders, once for each record however often it is delivered.
-- KEYS: the hash of each holder, all of one server; what is kept of it has names that begin with that
-- ARGV: 1 source, 2 oldest hour that takes anything, 3 what stands between the hash's name and that of a bucket,
--       4 JSON, of each holder [first, last sequence number, [sums of numbers], additions, notes]; of each bucket an
--       addition [bucket, hour (0: none), ttl_s, field, which of the sums, field, which, ...]; a note [bucket, field,
--       ttl_s, most, words]
-- RETURNS: of each holder two numbers: 1, last: added; 2, last added before: nothing was added, it is not before the
--       first; 0, 0: no such holder, or spoilt by hand

local call = redis.call
local source, oldest, between = ARGV[1], tonumber(ARGV[2]), ARGV[3]

-- Kept as text, numbers and spaces. What is not changed stays the text it is. concat writes only 14 digits: larger
-- numbers are written out.
local function written(number)
  return (number >= 1e14 or number <= -1e14) and string.format('%.0f', number) or number
end

local function sum_of(old, numbers)
  local sum, size = {}, 0
  for word in string.gmatch(old, '%S+') do
    size = size + 1
    local more = numbers[size] or 0
    sum[size] = more == 0 and word or written((tonumber(word) or 0) + more)
  end
  for i = size + 1, #numbers do
    sum[i] = written(numbers[i])
  end
  return table.concat(sum, ' ')
end

local function note(bucket, field, ttl, most, fresh)
  local kept = call('HGET', bucket, field) or ''
  local _, gaps = string.gsub(kept, ' ', ' ')
  if kept == '' or gaps + 1 < most then
    local words = {}
    for word in string.gmatch(kept .. ' ' .. fresh, '%S+') do
      if #words < most then
        words[#words + 1] = word
      end
    end
    call('HSET', bucket, field, table.concat(words, ' '))
  end
  call('EXPIRE', bucket, ttl)
end

local function add(holder, first, last, sums, additions, notes)
  -- A trunk without ceilings has no hash; its name is the policy's own, so it may be counted.
  if string.sub(holder, 1, 7) ~= '{trunk:' and call('EXISTS', holder) == 0 then
    return 0, 0
  end
  local prefix = holder .. between
  local applied = prefix .. 'applied'
  local before = tonumber(call('HGET', applied, source) or '0')
  if before >= first then
    return 2, before
  end
  -- The account and its only trunk, the hour and its only minute: often the same sum to the same text.
  local known = {}
  for at = 1, #sums do
    known[at] = {}
  end
  local seen = {}
  local function is_sealed(hour)
    if seen[hour] == nil then
      seen[hour] = call('ZSCORE', prefix .. 'sealed', string.format('%.0f', hour)) ~= false
    end
    return seen[hour]
  end
  for at = 1, #additions do
    local addition = additions[at]
    local bucket, hour = prefix .. addition[1], addition[2]
    local is_late = hour ~= 0
      and (hour < oldest or is_sealed(hour))
    local fields, put = {}, {}
    for i = 4, #addition, 2 do
      if not is_late then
        fields[#fields + 1] = addition[i]
      elseif addition[i] == 'all' then
        call('HINCRBY', bucket, 'late', string.format('%.0f', sums[addition[i + 1]][1]))
      end
    end
    if not is_late then
      local old = call('HMGET', bucket, unpack(fields))
      for i = 1, #fields do
        local which, before = addition[3 + 2 * i], old[i] or ''
        local sum = known[which][before]
        if not sum then
          sum = sum_of(before, sums[which])
          known[which][before] = sum
        end
        put[2 * i - 1], put[2 * i] = fields[i], sum
      end
      call('HSET', bucket, unpack(put))
    end
    call('EXPIRE', bucket, addition[3])
  end
  for at = 1, #notes do
    note(prefix .. notes[at][1], notes[at][2], notes[at][3], notes[at][4], notes[at][5])
  end
  call('HSET', applied, source, string.format('%.0f', last))
  return 1, last
end

local told = {}
for at, batch in ipairs(cjson.decode(ARGV[4])) do
  local is_done, code, last = pcall(add, KEYS[at], unpack(batch))
  if not is_done then
    -- One holder that was spoilt by hand stops no other; a store that refuses to write does.
    local fault = type(code) == 'table' and code.err or code
    if not string.find(fault, 'WRONGTYPE', 1, true) then
      return redis.error_reply(fault)
    end
    code, last = 0, 0
  end
  told[2 * at - 1], told[2 * at] = code, last
end
return told
