-- part_money: what a call costs, and the record of a call in its hash: the arithmetic of limits/rates.py, line for line.
-- A record is 16 words: admitted answered renewed paid held charged connect rate first next minimum prefix member guard
-- hands (1: another node had it before) node.

local call = redis.call

-- A whole number from a field of a hash; 0 where it is absent or was written by hand as something else.
local function whole(field)
  return math.floor(tonumber(field) or 0)
end

-- 'connect:rate:first:next:minimum' or '' for a call without a price.
local function read_price(text)
  local _, _, connect, rate, first, next_s, minimum = string.find(text, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not connect or next_s == '0' then
    return nil
  end
  return { connect = tonumber(connect), rate = tonumber(rate), first = tonumber(first), next = tonumber(next_s),
    minimum = tonumber(minimum) }
end

local function billed_s(price, duration_ms)
  local over = math.max(duration_ms, price.minimum * 1000) - price.first * 1000
  if over <= 0 then
    return price.first
  end
  return price.first + math.ceil(over / (price.next * 1000)) * price.next
end

local function cost(price, duration_ms)
  return price.connect + math.ceil(price.rate * billed_s(price, duration_ms) / 60)
end

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

local function read_call(line)
  local _, _, admitted, answered, renewed, paid, held, charged, connect, rate, first, next_s, minimum, prefix, member,
    guard, hands, node = string.find(line or '',
    '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (%d) (.*)$')
  if not admitted then
    return nil
  end
  local price
  if next_s ~= '0' then
    price = { connect = tonumber(connect), rate = tonumber(rate), first = tonumber(first), next = tonumber(next_s),
      minimum = tonumber(minimum) }
  end
  return { admitted = tonumber(admitted), answered = tonumber(answered), renewed = tonumber(renewed),
    paid = tonumber(paid), held = tonumber(held), charged = tonumber(charged), price = price, prefix = prefix,
    member = member, guard = guard, hands = tonumber(hands), node = node }
end

local function write_call(record)
  local price = record.price or { connect = 0, rate = 0, first = 0, next = 0, minimum = 0 }
  return string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s %.0f %s', record.admitted,
    record.answered, record.renewed, record.paid, record.held, record.charged, price.connect, price.rate, price.first,
    price.next, price.minimum, record.prefix, record.member, record.guard,
    record.hands, record.node)
end

-- The money of an account, read once, changed here, written back once by `put_money`. `now`: ms of the store's clock.
local function get_money(account, now)
  local value = call('HMGET', account, 'balance_micros', 'held_micros', 'hour', 'spent_hour_micros', 'day',
    'spent_day_micros', 'charged_micros', 'overdrawn_micros')
  local hour, day = math.floor(now / 3600000), math.floor(now / 86400000)
  return { balance = whole(value[1]), held = whole(value[2]), hour = hour, day = day,
    spent_hour = tonumber(value[3]) == hour and whole(value[4]) or 0,
    spent_day = tonumber(value[5]) == day and whole(value[6]) or 0,
    charged = whole(value[7]), overdrawn = whole(value[8]), guards = {} }
end

-- What calls under the guard of this name have spent in the running hour and hold; read once, with the money.
local function get_guard(account, money, name)
  local guard = money.guards[name]
  if not guard then
    local value = call('HMGET', account, 'ghour:' .. name, 'gspent:' .. name, 'gheld:' .. name, 'gmost:' .. name)
    guard = { spent = tonumber(value[1]) == money.hour and whole(value[2]) or 0, held = whole(value[3]),
      most = tonumber(value[4]) }
    money.guards[name] = guard
  end
  return guard
end

-- What is held for a call becomes this much.
local function hold(account, money, record, amount)
  local more = amount - record.held
  money.held = math.max(0, money.held + more)
  record.held = amount
  if record.guard ~= '-' then
    local guard = get_guard(account, money, record.guard)
    guard.held = math.max(0, guard.held + more)
  end
end

local function put_money(account, money)
  for name, guard in pairs(money.guards) do
    call('HSET', account, 'ghour:' .. name, money.hour, 'gspent:' .. name, guard.spent, 'gheld:' .. name, guard.held)
  end
  call('HSET', account, 'balance_micros', money.balance, 'held_micros', money.held, 'hour', money.hour,
    'spent_hour_micros', money.spent_hour, 'day', money.day, 'spent_day_micros', money.spent_day, 'charged_micros',
    money.charged, 'overdrawn_micros', money.overdrawn)
end

-- Moves an amount (negative: gives a charge back) from the balance to what has been charged and spent, by this call.
local function charge(account, money, record, amount)
  if record and record.guard ~= '-' then
    local guard = get_guard(account, money, record.guard)
    guard.spent = math.max(0, guard.spent + amount)
  end
  money.balance = money.balance - amount
  money.charged = money.charged + amount
  money.spent_hour = math.max(0, money.spent_hour + amount)
  money.spent_day = math.max(0, money.spent_day + amount)
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

local function get_terms(account)
  local value = call('HMGET', account, 'credit', 'floor_micros', 'spend_cap_hour_micros', 'spend_cap_day_micros',
    'max_rate_micros', 'is_beyond')
  return { credit = value[1] or 'prepaid', floor = whole(value[2]), hour_cap = tonumber(value[3]),
    day_cap = tonumber(value[4]), max_rate = tonumber(value[5]), is_beyond = value[6] == '1' }
end
