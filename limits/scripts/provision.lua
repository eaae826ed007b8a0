-- provision: bring the values of the policy file into the store, once for each version of them.
-- KEYS: 1 account hash, 2 audit stream, 3 refs hash, 4 reverts hash
-- ARGV: 1 digest of the values, 2 by, 3 why (where it is created), 4 audit length, 5 opening balance in micro-units, 6 holder,
--       7 '1': only create, change nothing that is there; 8... field, value, ...
-- RETURNS: {1, what, generation}, what: 0 nothing to do, 1 created, 2 changed
-- The digest is of what was last imported, not of what is in force: a value raised by hand stays until the file changes.

local call = redis.call
local account, audit = KEYS[1], KEYS[2]

local value = call('HMGET', account, 'generation', 'digest')
if value[1] and (value[2] == ARGV[1] or ARGV[7] == '1') then
  return {1, 0, tonumber(value[1])}
end
local generation = (tonumber(value[1]) or 0) + 1
local entry = {}
local function tell(...)
  for _, word in ipairs({ ... }) do
    entry[#entry + 1] = word
  end
end
for i = 8, #ARGV, 2 do
  local before = value[1] and (call('HGET', account, ARGV[i]) or '')
  if not before then
    tell(ARGV[i], ARGV[i + 1])
  elseif before ~= ARGV[i + 1] then
    tell('was:' .. ARGV[i], before, ARGV[i], ARGV[i + 1])
  end
end
call('HSET', account, 'generation', generation, 'digest', ARGV[1], 'revert_at', '', 'is_beyond', '1', unpack(ARGV, 8))
call('DEL', KEYS[4])
if not value[1] and tonumber(ARGV[5]) > 0 then
  call('HSET', KEYS[3], 'opening', ARGV[5])
  call('HSET', account, 'balance_micros', ARGV[5], 'topped_up_micros', ARGV[5])
  tell('reference', 'opening', 'amount_micros', ARGV[5], 'was:balance_micros', '0', 'balance_micros', ARGV[5])
end
call('XADD', audit, 'MAXLEN', '~', ARGV[4], '*', 'generation', generation, 'by', ARGV[2],
  'why', value[1] and 'import' or ARGV[3], unpack(entry))
call('PUBLISH', 'trunkgate:changes', ARGV[6])
return {1, value[1] and 2 or 1, generation}
