-- part_holds: how much talk may be held, for the scripts that name it in USES (after part_price, part_money).

local function interval_s(price, paid_s, quantum_s)
  return math.min(billed_s(price, (paid_s + quantum_s) * 1000), math.max(604800, paid_s))
end

local function affordable_s(price, money)
  local left = money - price.connect
  if left < 0 then
    return 0
  end
  local longest = 604800
  if price.rate > 0 then
    longest = math.min(longest, math.floor(left * 60 / price.rate))
  end
  if longest < billed_s(price, 0) then
    return 0
  end
  return price.first + math.floor((longest - price.first) / price.next) * price.next
end

-- What may still be held, and the limit that says so. `terms`: credit, floor, hour and day caps; `off`: limits that are
-- shadowed, as ' caps credit '; `guard`: that of the call, if it has one.
local function room(money, terms, off, guard)
  local least, name = 1e15, ''
  local function bound(limit, left)
    if left < least and not string.find(off, ' ' .. limit .. ' ', 1, true) then
      least, name = left, limit
    end
  end
  if terms.hour_cap then
    bound('spend_hour', terms.hour_cap - money.spent_hour - money.held)
  end
  if terms.day_cap then
    bound('spend_day', terms.day_cap - money.spent_day - money.held)
  end
  if terms.credit ~= 'none' then
    bound('credit', money.balance - terms.floor - money.held)
  end
  if guard and guard.most then
    bound('guard', guard.most - guard.spent - guard.held)
  end
  return least, name
end

-- What bounds that money, from its six fields.
local function as_terms(credit, floor, hour_cap, day_cap, max_rate, is_beyond)
  return { credit = credit or 'prepaid', floor = whole(floor), hour_cap = tonumber(hour_cap),
    day_cap = tonumber(day_cap), max_rate = tonumber(max_rate), is_beyond = is_beyond == '1' }
end

local function get_terms(account)
  return as_terms(unpack(call('HMGET', account, 'credit', 'floor_micros', 'spend_cap_hour_micros',
    'spend_cap_day_micros', 'max_rate_micros', 'is_beyond')))
end
