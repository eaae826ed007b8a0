-- part_leases: the sweep of leases that ran out, for the scripts that name it in USES (after part_record, part_price,
-- part_money).

-- Takes a lease that ran out. The call is charged to its last renewal (R8) and waits in `expired` for whoever settles
-- it or takes it over; one that cost nothing and has no record is forgotten. Needs `money`; returns whether it moved any.
local function expire(account, leases, calls, records, expired, uid, line, now, money)
  local record = read_call(line)
  call('ZREM', leases, uid)
  if not record then
    call('HDEL', calls, uid)
    return
  end
  leave_counts(leases, record, uid)
  if not record.price and call('HEXISTS', records, uid) == 0 then
    call('HDEL', calls, uid)
    return
  end
  if record.price then
    hold(account, money, record, 0)
    if record.answered > 0 then
      record.charged = cost(price_of(record), math.min(record.paid * 1000, math.max(0, record.renewed - record.answered)))
      charge(account, money, record, record.charged)
    end
  end
  call('HSET', calls, uid, write_call(record))
  call('ZADD', expired, now, uid)
end

-- Frees leases that ran out, the oldest 64 at most: bounded work for one call, the next one goes on where this ended.
-- True: none had run out.
local function sweep(account, leases, calls, records, expired, now)
  local first = call('ZRANGE', leases, 0, 0, 'WITHSCORES')
  if not first[2] or tonumber(first[2]) > now then
    return true
  end
  local gone = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 64)
  local lines = call('HMGET', calls, unpack(gone))
  local money = get_money(account, now)
  for i = 1, #gone do
    expire(account, leases, calls, records, expired, gone[i], lines[i], now, money)
  end
  put_money(account, money)
  call('HINCRBY', account, 'leases_expired', #gone)
  -- Nobody came for these within a day.
  local old = call('ZRANGEBYSCORE', expired, '-inf', now - 86400000, 'LIMIT', 0, 64)
  if #old > 0 then
    call('ZREM', expired, unpack(old))
    call('HDEL', calls, unpack(old))
    call('HDEL', records, unpack(old))
  end
end
