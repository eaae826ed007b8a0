-- renew: these calls of one holder are alive on this node. A call that runs holds a lease, even if the store lost it, and
-- a hold for the talk that comes next, as long as there is money for it.
-- USES: part_record part_price part_money part_holds part_leases part_reverts
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset, 6... tombstone of each uid, in order
-- ARGV: 1 node, 2 lease_ms, 3 quantum_s, 4 ahead_ms, then for each call: uid, talk_ms (-1: not answered), paid_s, price
-- RETURNS: {1, lease_until_ms, {reasserted}, {ended}, {adopted}, {paid_s of each uid}, dry, is_cut}
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls, records, expired = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, lease_ms, quantum_s, ahead_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local value = call('HMGET', account, 'generation', 'status', 'is_cut', 'revert_at', 'shadow')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
if value[4] and value[4] ~= '' and revert(account, value[4], now) then
  value = call('HMGET', account, 'generation', 'status', 'is_cut', 'revert_at', 'shadow')
end
local off = ' ' .. (value[5] or '') .. ' '
local lease_until = now + lease_ms
local reasserted, ended, adopted, paid_s = {}, {}, {}, {}
local dry, money, terms = '', nil, nil
local lapsed = 0
local seen = {}

-- Takes the lease of a call again that ran out or that the store never knew.
local function reassert(uid, record, score, price, paid)
  reasserted[#reasserted + 1] = uid
  if score then
    lapsed = lapsed + 1
  end
  if not record then
    record = { admitted = now, answered = 0, renewed = now, paid = 0, held = 0, charged = 0, price = price,
      prefix = '-', member = '-', guard = '-', hands = '0', node = node }
  elseif call('ZREM', expired, uid) == 1 and record.charged > 0 then
    charge(account, money, record, -record.charged)
    record.charged = 0
  end
  if record.price then
    -- It was promised: held again even where the balance no longer pays for it.
    record.paid = math.max(record.paid, paid)
    local again = record.paid > 0 and cost(price_of(record), record.paid * 1000) or 0
    hold(account, money, record, again)
    call('HSET', account, 'is_beyond', '1')
  end
  return record
end

-- Holds the next interval where what is held runs out soon.
local function extend(record, talk_ms)
  if record.paid * 1000 - talk_ms >= ahead_ms then
    return
  end
  terms = terms or get_terms(account)
  local left, limit = room(money, terms, off, record.guard ~= '-' and get_guard(account, money, record.guard) or nil)
  local price = price_of(record)
  local target = interval_s(price, math.max(record.paid, math.ceil(talk_ms / 1000)), quantum_s)
  if cost(price, target * 1000) > record.held + left then
    target = affordable_s(price, record.held + left)
  end
  if target <= record.paid then
    dry = limit
    return
  end
  hold(account, money, record, cost(price, target * 1000))
  record.paid = target
end

for i = 1, (#ARGV - 4) / 4 do
  local uid, talk_ms, paid, price_text = ARGV[4 * i + 1], tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3]),
    ARGV[4 * i + 4]
  local tomb = call('GET', KEYS[5 + i])
  paid_s[i] = 0
  if seen[uid] then
    paid_s[i] = paid_s[seen[uid]]
  elseif tomb and string.sub(tomb, 1, 10) ~= 'given_back' and string.sub(tomb, 1, 8) ~= 'refused ' then
    ended[#ended + 1] = uid
  else
    local record = read_call(call('HGET', calls, uid))
    if record and record.node ~= node then
      adopted[#adopted + 1] = uid
    else
      if tomb then
        call('DEL', KEYS[5 + i])
      end
      local price = record and record.price or price_text ~= '' and read_price(price_text) and price_text or nil
      if price and not money then
        money = get_money(account, now)
      end
      local score = tonumber(call('ZSCORE', leases, uid))
      if not record or not score or score <= now then
        record = reassert(uid, record, score, price, paid)
      end
      if talk_ms >= 0 then
        if record.answered == 0 then
          record.answered = now - talk_ms
        end
        if record.price then
          extend(record, talk_ms)
        end
      end
      record.renewed = now
      paid_s[i] = record.paid
      call('ZADD', leases, lease_until, uid)
      call('HSET', calls, uid, write_call(record))
      if record.prefix ~= '-' then
        call('ZADD', leases .. ':' .. record.prefix, lease_until, uid)
      end
      if record.member ~= '-' then
        call('ZADD', leases .. ':@' .. record.member, lease_until, uid)
      end
    end
  end
  seen[uid] = seen[uid] or i
end

if money then
  put_money(account, money)
end
if #reasserted > 0 then
  call('HINCRBY', account, 'leases_reasserted', #reasserted)
end
if lapsed > 0 then
  call('HINCRBY', account, 'leases_expired', lapsed)
end
-- After our own: what is alive must not be swept by the message that says so.
sweep(account, leases, calls, records, expired, now)
local is_cut = value[2] ~= 'active' and value[3] == '1' and 1 or 0
return {1, lease_until, reasserted, ended, adopted, paid_s, dry, is_cut}
