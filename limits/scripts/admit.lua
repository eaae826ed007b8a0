-- admit: may this attempt pass? Takes all it needs or nothing; idempotent by uid.
-- USES: part_record part_price part_money part_holds part_leases part_reverts part_frequency
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset, 6 tombstone of this uid
-- ARGV: 1 uid, 2 node, 3 lease_ms, 4 price, 5 called, 6 member, 7 reserved, 8 record, 9 quantum_s, 10 how often, whom and
-- how much (part_frequency; '': nothing is asked)
-- RETURNS: {1, lease_until_ms, in_use, generation, ceiling, caps, burst, tokens_micro, paid_s, held, group, reserved, {shadowed},
--        caps_lots, call_lots}
--       or {0, limit, ceiling, in_use, retry_after_ms, generation, caps, calls, caps_lots, call_lots, name}, limit one of
--        limits.model.Limit; of an unknown holder the first five; name only where it has one

local account, leases, calls, records, expired, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local uid, node, lease_ms, member = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]

local function read()
  return call('HMGET', account, 'generation', 'status', 'caps_base', 'caps_lots', 'caps_lot_size', 'caps_burst',
    'calls_base', 'call_lots', 'call_lot_size', 'tokens_micro', 'refilled_ms', 'calls_admitted', 'revert_at', 'shadow',
    'prefix_ceilings', 'group', 'calls_reserved')
end

local value = read()
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
if value[13] and value[13] ~= '' and revert(account, value[13], now) then
  value = read()
end
local generation, caps_lots, call_lots = whole(value[1]), whole(value[4]), whole(value[8])
local caps = whole(value[3]) + caps_lots * whole(value[5])
local ceiling = whole(value[7]) + call_lots * whole(value[9])

local function no(limit, most, used, retry_after, name)
  return {0, limit, most, used, retry_after, generation, caps, ceiling, caps_lots, call_lots, name}
end

if value[2] ~= 'active' then
  return no(value[2] == 'closed' and 'closed' or 'suspended', 0, 0, 0)
end
local is_swept = sweep(account, leases, calls, records, expired, now)

local off = value[14] and value[14] ~= '' and ' ' .. value[14] .. ' ' or ''
local shadowed = {}

-- Would this limit refuse for real? A shadowed one is only noted. `name` and `mode`: of what has a name of its own.
local function enforced(limit, name, mode)
  if mode == 'shadow' or off ~= '' and string.find(off, ' ' .. limit .. ' ', 1, true) then
    shadowed[#shadowed + 1] = name and limit .. ':' .. name or limit
    return false
  end
  return true
end

local function count_shadowed()
  for i = 1, #shadowed do
    call('HINCRBY', account, 'shadow_' .. string.match(shadowed[i], '^[^:]*'), 1)
  end
end

local function denied(limit, most, used, retry_after, name)
  count_shadowed()
  return no(limit, most, used, retry_after, name)
end

local burst = 0
if caps > 0 then
  burst = math.max(1, tonumber(value[6]) and whole(value[6]) or caps)
end
local tokens = burst * 1000000
local refilled = tonumber(value[11])
if refilled then
  tokens = math.min(whole(value[10]) + math.max(0, now - refilled) * caps * 1000, tokens)
end
local after = string.format('(%d', now)

-- Leases that run at this instant.
local function count_leases()
  return is_swept and call('ZCARD', leases) or call('ZCOUNT', leases, after, '+inf')
end

-- The same attempt again: the same answer, nothing more taken (R6).
if call('EXISTS', done) == 1 then
  return no('duplicate', 0, 0, 0)
end
local held = tonumber(call('ZSCORE', leases, uid))
if held and held > now then
  local record = read_call(call('HGET', calls, uid))
  if not record or record.node ~= node then
    return no('duplicate', 0, 0, 0)
  end
  return {1, held, count_leases(), generation, ceiling, caps, burst, tokens, record.paid,
    record.held, value[16] or '', whole(value[17]), {}, caps_lots, call_lots}
end

-- CAPS: refused here, the attempt spends nothing, and nothing needs to be written: the bucket refills from its instant.
if tokens < 1000000 and enforced('caps') then
  if caps <= 0 then
    return no('caps', 0, 0, 0)
  end
  return no('caps', caps, burst, math.ceil((1000000 - tokens) / (caps * 1000)))
end
tokens = math.max(0, tokens - 1000000)

-- From here on a refusal spends the token: it was an attempt all the same (R6).
local function refused(limit, most, used, retry_after, name)
  call('HSET', account, 'tokens_micro', tokens, 'refilled_ms', now)
  return denied(limit, most, used, retry_after, name)
end

-- Whom, and how often: judged before any capacity, since no waiting for a free place cures it.
local frequencies, contact, guard, counting = {}, nil, nil, nil
if ARGV[10] ~= '' then
  frequencies, contact, guard = read_terms(ARGV[10])
  counting = counting_of(account)
  if contact then
    local why = counting.judge_contact(contact, now)
    if why ~= '' and enforced('contact', why, contact.mode) then
      return refused('contact', 0, 0, 0, why)
    end
  end
  for _, one in ipairs(frequencies) do
    if one.mode ~= 'count' then
      local is_over, used, wait = counting.judge(one, uid, now)
      if is_over and one.percent > 0 and counting.has_share(one, now) then
        is_over = false
      end
      if is_over and enforced('frequency', one.name, one.mode) then
        return refused('frequency', one.most, used, wait, one.name)
      end
    end
  end
end

-- Concurrent calls. In a group, what others have reserved and do not use is not free.
local in_use = count_leases()
local is_free = in_use < ceiling
if member ~= '' then
  local reserved = whole(ARGV[7])
  local guarantees = account .. ':reserved'
  if whole(call('HGET', guarantees, member)) ~= reserved then
    call('HSET', guarantees, member, reserved)
  end
  if is_free and call('ZCOUNT', leases .. ':@' .. member, after, '+inf') >= reserved then
    local kept = 0
    local all = call('HGETALL', guarantees)
    for i = 1, #all, 2 do
      local theirs = whole(all[i + 1])
      if theirs > 0 and all[i] ~= member then
        kept = kept + math.max(0, theirs - call('ZCOUNT', leases .. ':@' .. all[i], after, '+inf'))
      end
    end
    is_free = in_use + kept < ceiling
  end
end
if not is_free and enforced('calls') then
  return refused('calls', ceiling, in_use, 0)
end

-- The ceilings of the longest prefix that has any.
local prefix, prefix_calls, prefix_caps = '', '', ''
if value[15] and value[15] ~= '' then
  for name, most, rate in string.gmatch(value[15], '([^ :]+):(%d*):(%d*)') do
    if #name > #prefix and string.sub(ARGV[5], 1, #name) == name then
      prefix, prefix_calls, prefix_caps = name, most, rate
    end
  end
end
if prefix_caps ~= '' then
  local rate = tonumber(prefix_caps)
  local depth = rate > 0 and rate * 1000000 or 0
  local bucket = call('HMGET', account, 'ptok:' .. prefix, 'pref:' .. prefix)
  local left = depth
  if bucket[2] then
    left = math.min(whole(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * rate * 1000, depth)
  end
  if left < 1000000 and enforced('prefix_caps') then
    return refused('prefix_caps', rate, rate, rate > 0 and math.ceil((1000000 - left) / (rate * 1000)) or 0)
  end
  call('HSET', account, 'ptok:' .. prefix, math.max(0, left - 1000000), 'pref:' .. prefix, now)
end
if prefix_calls ~= '' then
  local used = call('ZCOUNT', leases .. ':' .. prefix, after, '+inf')
  if used >= tonumber(prefix_calls) and enforced('prefix_calls') then
    return refused('prefix_calls', tonumber(prefix_calls), used, 0)
  end
end

-- Money: spending caps, dearest rate, credit; then a hold for the first interval, or for what is there.
local record = { admitted = now, answered = 0, renewed = now, paid = 0, held = 0, charged = 0,
  prefix = prefix_calls ~= '' and prefix or '-', member = member ~= '' and member or '-',
  guard = ARGV[4] ~= '' and guard and guard.name or '-', hands = '0', node = node }
local money
if ARGV[4] ~= '' then
  local price = read_price(ARGV[4])
  local both = call('HMGET', account, 'credit', 'floor_micros', 'spend_cap_hour_micros', 'spend_cap_day_micros',
    'max_rate_micros', 'is_beyond', 'balance_micros', 'held_micros', 'hour', 'spent_hour_micros', 'day',
    'spent_day_micros', 'charged_micros', 'overdrawn_micros')
  local terms = as_terms(unpack(both, 1, 6))
  money = as_money(now, unpack(both, 7, 14))
  local least = cost(price, 0)
  if terms.hour_cap and money.spent_hour + money.held + least > terms.hour_cap and enforced('spend_hour') then
    return refused('spend_hour', terms.hour_cap, money.spent_hour + money.held, (money.hour + 1) * 3600000 - now)
  end
  if terms.day_cap and money.spent_day + money.held + least > terms.day_cap and enforced('spend_day') then
    return refused('spend_day', terms.day_cap, money.spent_day + money.held, (money.day + 1) * 86400000 - now)
  end
  local kept
  if guard then
    kept = get_guard(account, money, guard.name)
    kept.most = guard.mode ~= 'shadow' and guard.most or nil
    local used = kept.spent + kept.held
    if used + least > guard.most and enforced('guard', guard.name, guard.mode) then
      return refused('guard', guard.most, used, (money.hour + 1) * 3600000 - now, guard.name)
    end
  end
  if terms.max_rate and price.rate > terms.max_rate and enforced('max_rate') then
    return refused('max_rate', terms.max_rate, price.rate, 0)
  end
  local available = money.balance - terms.floor - money.held
  if terms.credit ~= 'none' and least > available and enforced('credit') then
    return refused('credit', math.max(0, available), least, 0)
  end
  local paid = interval_s(price, 0, tonumber(ARGV[9]))
  if terms.is_beyond and least <= available then
    call('HSET', account, 'is_beyond', '')
  end
  local left = room(money, terms, off, kept)
  if cost(price, paid * 1000) > left then
    paid = affordable_s(price, left)
  end
  record.price, record.paid, record.held = ARGV[4], paid, cost(price, paid * 1000)
  if kept then
    local name = guard.name
    call('HSET', account, 'ghour:' .. name, money.hour, 'gspent:' .. name, kept.spent, 'gheld:' .. name,
      kept.held + record.held, 'gmost:' .. name, kept.most or '')
  end
end

if held then
  -- Its own lease ran out and the bounded sweep has not come to it: that one expired, this is a new one.
  local before = get_money(account, now)
  expire(account, leases, calls, records, expired, uid, call('HGET', calls, uid), now, before)
  put_money(account, before)
  call('HINCRBY', account, 'leases_expired', 1)
  money = money and before
end
local lease_until = now + lease_ms
if money then
  call('HSET', account, 'tokens_micro', tokens, 'refilled_ms', now, 'calls_admitted', whole(value[12]) + 1,
    'last_call_ms', now, 'held_micros', money.held + record.held)
else
  call('HSET', account, 'tokens_micro', tokens, 'refilled_ms', now, 'calls_admitted', whole(value[12]) + 1,
    'last_call_ms', now)
end
call('ZADD', leases, lease_until, uid)
if call('HSET', calls, uid, write_call(record)) == 0 then
  -- An attempt of this name whose lease had run out: what it was charged stands, nothing else is left of it.
  call('ZREM', expired, uid)
  call('HDEL', records, uid)
end
if record.prefix ~= '-' then
  call('ZADD', leases .. ':' .. prefix, lease_until, uid)
end
if member ~= '' then
  call('ZADD', leases .. ':@' .. member, lease_until, uid)
end
if ARGV[8] ~= '' then
  call('HSET', records, uid, ARGV[8])
end
for _, one in ipairs(frequencies) do
  if one.counts ~= 'marks' then
    counting.count(one, one.counts == 'distinct' and one.item or uid, now)
  end
end
count_shadowed()
return {1, lease_until, in_use + 1, generation, ceiling, caps, burst, tokens, record.paid, record.held,
  value[16] or '', whole(value[17]), shadowed, caps_lots, call_lots}
