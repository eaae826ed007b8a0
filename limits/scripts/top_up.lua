-- top_up: money actually received (contract article 12.7.3), or a correction; idempotent by its reference.
-- KEYS: 1 account hash, 2 audit stream, 3 refs hash
-- ARGV: 1 amount in micro-units, 2 reference, 3 by, 4 why, 5 audit length, 6 holder
-- RETURNS: {1, balance, already}, {3, amount booked before} where the reference stands for another amount
--       or {0, 'unknown', 0, 0, 0}

local call = redis.call
local account, audit, refs = KEYS[1], KEYS[2], KEYS[3]
local amount = tonumber(ARGV[1])

local value = call('HMGET', account, 'generation', 'balance_micros')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
local before = call('HGET', refs, ARGV[2])
if before then
  if tonumber(before) ~= amount then
    return {3, tonumber(before)}
  end
  return {1, tonumber(value[2]) or 0, 1}
end
call('HSET', refs, ARGV[2], ARGV[1])
local balance = call('HINCRBY', account, 'balance_micros', ARGV[1])
call('HINCRBY', account, 'topped_up_micros', ARGV[1])
if amount < 0 then
  call('HSET', account, 'is_beyond', '1')
end
call('XADD', audit, 'MAXLEN', '~', ARGV[5], '*', 'generation', value[1], 'by', ARGV[3], 'why', ARGV[4], 'reference',
  ARGV[2], 'amount_micros', ARGV[1], 'was:balance_micros', tonumber(value[2]) or 0, 'balance_micros', balance)
call('PUBLISH', 'trunkgate:changes', ARGV[6])
return {1, balance, 0}
