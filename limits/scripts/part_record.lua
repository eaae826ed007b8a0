-- part_record: the clock of the store and the record of a call in its hash, for the scripts that name it in USES (first).
-- A record is 12 words: admitted answered renewed paid held charged price prefix member guard hands node. price:
-- 'connect:rate:first:next:minimum' or '-'; hands 1: another node had it before; node may hold spaces.

local call = redis.call

-- A whole number from a field of a hash; 0 where it is absent or was written by hand as something else.
local function whole(field)
  return math.floor(tonumber(field) or 0)
end

-- Milliseconds of the store's own clock: one clock for all nodes. Exact in a Lua number until the year 287396.
local function clock_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function read_call(line)
  local _, _, admitted, answered, renewed, paid, held, charged, price, prefix, member, guard, hands, node = string.find(
    line or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%d) (.*)$')
  if not admitted then
    return nil
  end
  return { admitted = tonumber(admitted), answered = tonumber(answered), renewed = tonumber(renewed),
    paid = tonumber(paid), held = tonumber(held), charged = tonumber(charged), price = price ~= '-' and price or nil,
    prefix = prefix, member = member, guard = guard, hands = hands, node = node }
end

-- %d: a whole number below 2^53 in an eighth of the time of %.0f.
local function write_call(record)
  return string.format('%d %d %d %d %d %d %s %s %s %s %s %s', record.admitted, record.answered, record.renewed,
    record.paid, record.held, record.charged, record.price or '-', record.prefix, record.member, record.guard,
    record.hands, record.node)
end

-- The zsets that count a call beside the account's own: its ceiling by prefix, its place in a group.
local function leave_counts(leases, record, uid)
  if record.prefix ~= '-' then
    call('ZREM', leases .. ':' .. record.prefix, uid)
  end
  if record.member ~= '-' then
    call('ZREM', leases .. ':@' .. record.member, uid)
  end
end
