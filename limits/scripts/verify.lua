-- verify: do the books of a holder add up? Takes nothing, writes nothing; the invariants of limits/README.md.
-- USES: part_record
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset
-- ARGV: 1 most calls whose holds are summed up: bounded work, 2 longest lease in ms
-- RETURNS: {1, {invariant that does not hold, ...}} or {0, 'unknown', 0, 0, 0}

local account, leases, calls, expired = KEYS[1], KEYS[2], KEYS[3], KEYS[5]

local value = call('HMGET', account, 'generation', 'topped_up_micros', 'charged_micros', 'balance_micros', 'held_micros',
  'calls_admitted', 'leases_reasserted', 'calls_settled', 'leases_expired', 'credit', 'floor_micros', 'shadow',
  'is_beyond')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local broken = {}

-- The balance may be below zero: what runs while the store is away is charged all the same. Nothing else may.
local fields = call('HGETALL', account)
for i = 1, #fields, 2 do
  local name = fields[i]
  if name ~= 'balance_micros' and name ~= 'floor_micros' and name ~= 'topped_up_micros'
    and string.find(fields[i + 1], '^%-%d+$') then
    broken[#broken + 1] = 'no_negative'
    break
  end
end
-- Holds stay within the means, but where something that no hold could foresee has said otherwise since (`is_beyond`): a
-- call that ran without the store, a floor or a balance that an operator moved.
local off = ' ' .. (value[12] or '') .. ' '
local is_bound = (value[10] or 'prepaid') ~= 'none' and not string.find(off, ' credit ', 1, true)
if is_bound and value[13] ~= '1' and whole(value[5]) > math.max(0, whole(value[4]) - whole(value[11])) then
  broken[#broken + 1] = 'no_over_spend'
end
if whole(value[2]) ~= whole(value[3]) + whole(value[4]) then
  broken[#broken + 1] = 'conservation_of_money'
end
local running = call('ZCARD', leases)
if whole(value[6]) + whole(value[7]) ~= whole(value[8]) + whole(value[9]) + running then
  broken[#broken + 1] = 'conservation_of_leases'
end
local known = call('HLEN', calls)
local last = call('ZRANGE', leases, -1, -1, 'WITHSCORES')
if running + call('ZCARD', expired) ~= known or (last[2] and tonumber(last[2]) > clock_ms() + tonumber(ARGV[2])) then
  broken[#broken + 1] = 'no_leak'
end
if known <= tonumber(ARGV[1]) then
  local held = 0
  local lines = call('HVALS', calls)
  for i = 1, #lines do
    local record = read_call(lines[i])
    held = held + (record and record.held or 0)
  end
  if held ~= whole(value[5]) then
    broken[#broken + 1] = 'holds'
  end
end
return {1, broken}
