-- part_money: the money of an account, for the scripts that name it in USES (after part_record, part_price).

-- The money of an account from its eight fields, changed here, written back once by `put_money`. `now`: ms of the store's
-- clock.
local function as_money(now, balance, held, hour_of, spent_hour, day_of, spent_day, charged, overdrawn)
  local hour, day = math.floor(now / 3600000), math.floor(now / 86400000)
  return { balance = whole(balance), held = whole(held), hour = hour, day = day,
    spent_hour = tonumber(hour_of) == hour and whole(spent_hour) or 0,
    spent_day = tonumber(day_of) == day and whole(spent_day) or 0,
    charged = whole(charged), overdrawn = whole(overdrawn), guards = {} }
end

local function get_money(account, now)
  return as_money(now, unpack(call('HMGET', account, 'balance_micros', 'held_micros', 'hour', 'spent_hour_micros', 'day',
    'spent_day_micros', 'charged_micros', 'overdrawn_micros')))
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

-- With more fields and values, if there are any.
local function put_money(account, money, ...)
  for name, guard in pairs(money.guards) do
    call('HSET', account, 'ghour:' .. name, money.hour, 'gspent:' .. name, guard.spent, 'gheld:' .. name, guard.held)
  end
  call('HSET', account, 'balance_micros', money.balance, 'held_micros', money.held, 'hour', money.hour,
    'spent_hour_micros', money.spent_hour, 'day', money.day, 'spent_day_micros', money.spent_day, 'charged_micros',
    money.charged, 'overdrawn_micros', money.overdrawn, ...)
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
