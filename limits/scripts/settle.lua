-- settle: the call is over; its lease is released, it is charged, the rest of its hold returns, a tombstone is left.
-- USES: part_record part_price part_money part_frequency
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset, 6 tombstone of this uid
-- ARGV: 1 uid, 2 outcome, 3 duration_ms, 4 price, 5 doubtful (0 or 1), 6 record that says so ('-': none); then, where there is
-- any of it: 7 marks it leaves, 8 counts it gives back (as in admit; '': none), 9 what another record, which stands, was charged
-- RETURNS: {1, already, charged, marked, by}; a second settle changes nothing and says so; by: the other record that stands
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls, records, expired, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local uid, outcome, duration_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local by, stands = ARGV[6], tonumber(ARGV[9])
local field = 'settled_' .. outcome
-- As in limits/model.py: TOMBSTONE_MS, and CLAIM_MS.
local TOMBSTONE_MS, CLAIM_MS = '64000', '3024000000'

local value = call('HMGET', account, 'generation', 'calls_settled', field, 'talk_ms', 'settled_late', 'balance_micros',
  'held_micros', 'hour', 'spent_hour_micros', 'day', 'spent_day_micros', 'charged_micros', 'overdrawn_micros')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local tomb = call('GET', done)
local how = tomb and string.match(tomb, '^%S+') or ''
-- A lease that was given back, or another node's refusal, says nothing of a call that ran: it is charged even so.
if how == 'given_back' and outcome ~= 'given_back' or how == 'refused' and outcome == 'answered' then
  tomb = nil
end
if tomb then
  local _, _, before, known = string.find(tomb, '^%S+ (%d+) (.*)$') -- a node's name may hold spaces
  if stands and known ~= by then
    -- The record that settled it here is void: its charge makes place for the one that stands.
    local money = get_money(account, clock_ms())
    charge(account, money, nil, stands - before)
    put_money(account, money)
    call('SET', done, string.format('%s %d %s', how, stands, by), 'KEEPTTL')
    return {1, 1, stands, 0, ''}
  end
  return {1, 1, tonumber(before), 0, known ~= by and known ~= '-' and by ~= '-' and known or ''}
end

if outcome == 'refused' then
  local theirs = read_call(call('HGET', calls, uid))
  if theirs and theirs.node .. '/' == string.match(by, '^.*/') then
    return {1, 0, 0, 0, ''} -- it was taken over by who had refused it, and is given back next
  elseif theirs then
    return {1, 1, 0, 0, theirs.node .. '/'} -- who holds it writes its record
  end
  call('SET', done, 'refused 0 ' .. by, 'PX', TOMBSTONE_MS)
  return {1, 0, 0, 0, ''}
end

local is_leased = call('ZREM', leases, uid) == 1
local record = read_call(call('HGET', calls, uid))
local charged, money = 0, nil
local price = record and record.price and price_of(record) or ARGV[4] ~= '' and read_price(ARGV[4]) or nil
if price then
  local is_lost = not is_leased and not record
  if outcome == 'answered' and not (is_lost and ARGV[5] == '1') then
    charged = cost(price, duration_ms)
  end
  charged = stands or charged
  local paid_before = record and record.charged or 0
  local held = record and record.held or 0
  if charged ~= 0 or held ~= 0 or paid_before ~= 0 then
    money = as_money(clock_ms(), unpack(value, 6, 13))
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
  end
end
local marked = 0
if ARGV[7] then
  local counting, now = counting_of(account), clock_ms()
  for _, mark in ipairs((read_terms(ARGV[7]))) do
    counting.count(mark, uid, now)
    marked = counting.since(mark, now)
  end
  for _, one in ipairs((read_terms(ARGV[8]))) do
    counting.take_back(one, uid)
  end
end
if record then
  leave_counts(leases, record, uid)
  call('HDEL', calls, uid)
  call('HDEL', records, uid)
end
-- One that changed hands may have another record, on a node that is away: it is told when it is back.
call('SET', done, string.format('%s %d %s', outcome, charged, by), 'PX',
  record and record.hands == '1' and CLAIM_MS or TOMBSTONE_MS)

local function count(...)
  if money then
    put_money(account, money, ...)
  elseif ... then
    call('HSET', account, ...)
  end
end

if not is_leased then
  -- The lease had run out, or the store never gave one: counted apart, so that leases given = leases ended.
  if record then
    call('ZREM', expired, uid)
  end
  if not record and ARGV[5] == '1' then
    count()
    call('HINCRBY', account, 'settled_doubtful', 1)
  elseif outcome ~= 'given_back' then
    count('settled_late', whole(value[5]) + 1)
  else
    count()
  end
  return {1, 1, charged, marked, ''}
end
count('calls_settled', whole(value[2]) + 1, field, whole(value[3]) + 1, 'talk_ms', whole(value[4]) + duration_ms)
return {1, 0, charged, marked, ''}
