-- part_price: what a call costs: the arithmetic of limits/rates.py, line for line. For the scripts that name it in USES
-- (after part_record).

-- 'connect:rate:first:next:minimum'; nil where it is none.
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

-- The price of a call that has one, read once.
local function price_of(record)
  record.terms = record.terms or read_price(record.price)
  return record.terms
end
