-- settle: the call is over; its lease is released, it is charged, the rest of its hold returns, a tombstone is left.
-- USES: part_money part_leases part_frequency
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset, 6 tombstone of this uid
-- ARGV: 1 uid, 2 outcome, 3 duration_ms, 4 price, 5 doubtful (0 or 1), 6 tombstone_ms, 7 marks it leaves, 8 counts it
-- gives back (as in admit; '': none), 9 record that says so ('-': none), 10 what another record, which stands, was
-- charged ('': it is not about that), 11 claim_ms
-- RETURNS: {1, already, charged, marked, by}; a second settle changes nothing and says so; by: the other record that stands
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls, records, expired, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local uid, outcome, duration_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local field = 'settled_' .. outcome

local value = call('HMGET', account, 'generation', 'calls_settled', field, 'talk_ms', 'settled_late')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local tomb = call('GET', done)
-- A lease that was given back says nothing of the call: it may have run all the same, and then it is charged.
if tomb and (outcome == 'given_back' or string.sub(tomb, 1, 10) ~= 'given_back') then
  local _, _, how, before, by = string.find(tomb, '^(%S+) (%d+) (%S+)$')
  local is_other = by ~= ARGV[9]
  if ARGV[10] ~= '' and is_other then
    -- The record that settled it here is void: its charge makes place for the one that stands.
    local money, stands = get_money(account, clock_ms()), tonumber(ARGV[10])
    charge(account, money, nil, stands - before)
    put_money(account, money)
    call('SET', done, how .. ' ' .. ARGV[10] .. ' ' .. ARGV[9], 'KEEPTTL')
    return {1, 1, stands, 0, ''}
  end
  return {1, 1, tonumber(before), 0, is_other and by ~= '-' and ARGV[9] ~= '-' and by or ''}
end

local is_leased = call('ZREM', leases, uid) == 1
local record = read_call(call('HGET', calls, uid))
local charged = 0
local price = record and record.price or ARGV[4] ~= '' and read_price(ARGV[4]) or nil
if price then
  local is_lost = not is_leased and not record
  if outcome == 'answered' and not (is_lost and ARGV[5] == '1') then
    charged = cost(price, duration_ms)
  end
  if ARGV[10] ~= '' then
    charged = tonumber(ARGV[10])
  end
  local paid_before = record and record.charged or 0
  local held = record and record.held or 0
  if charged ~= 0 or held ~= 0 or paid_before ~= 0 then
    local money = get_money(account, clock_ms())
    if record then
      hold(account, money, record, 0)
    end
    charge(account, money, record, charged - paid_before)
    -- What no hold stood for: the call ran while the store was away, or beyond its paid talk.
    local beyond = charged - math.max(held, paid_before)
    if beyond > 0 then
      money.overdrawn = money.overdrawn + beyond
      call('HSET', account, 'is_beyond', '1')
    end
    put_money(account, money)
  end
end
local marked = 0
if ARGV[7] ~= '' then
  local now = clock_ms()
  for _, mark in ipairs((read_terms(ARGV[7]))) do
    count_one(account, mark, uid, now)
    marked = call('ZCOUNT', count_key(account, mark), '(' .. string.format('%.0f', now - mark.window), '+inf')
  end
end
if ARGV[8] ~= '' then
  for _, one in ipairs((read_terms(ARGV[8]))) do
    call('ZREM', count_key(account, one), uid)
  end
end
if record then
  leave_counts(leases, record, uid)
  call('HDEL', calls, uid)
  call('HDEL', records, uid)
end
-- One that changed hands may have another record, on a node that is away: it is told when it is back.
call('SET', done, outcome .. ' ' .. string.format('%.0f', charged) .. ' ' .. ARGV[9], 'PX',
  record and record.hands > 0 and ARGV[11] or ARGV[6])
if not is_leased then
  -- The lease had run out, or the store never gave one: counted apart, so that leases given = leases ended.
  if record then
    call('ZREM', expired, uid)
  end
  if not record and ARGV[5] == '1' then
    call('HINCRBY', account, 'settled_doubtful', 1)
  elseif outcome ~= 'given_back' then
    call('HSET', account, 'settled_late', whole(value[5]) + 1)
  end
  return {1, 1, charged, marked, ''}
end
call('HSET', account, 'calls_settled', whole(value[2]) + 1, field, whole(value[3]) + 1, 'talk_ms',
  whole(value[4]) + duration_ms)
return {1, 0, charged, marked, ''}
