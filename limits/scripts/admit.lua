-- admit: may this attempt pass? Takes all it needs or nothing; idempotent by uid.
-- USES: part_leases
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 tombstone of this uid
-- ARGV: 1 uid, 2 node, 3 lease_ms
-- RETURNS: {1, lease_until_ms, in_use, generation}
--       or {0, limit, ceiling, in_use, retry_after_ms}, limit one of unknown suspended closed duplicate caps calls

local account, leases, calls, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, node, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

local value = call('HMGET', account, 'generation', 'status', 'caps_base', 'caps_lots', 'caps_lot_size', 'caps_burst',
  'calls_base', 'call_lots', 'call_lot_size', 'tokens_micro', 'refilled_ms', 'calls_admitted')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
if value[2] ~= 'active' then
  return {0, value[2] == 'closed' and 'closed' or 'suspended', 0, 0, 0}
end

local now = clock_ms()
local generation = whole(value[1])
sweep(account, leases, calls, now)

-- The same attempt again: the same answer, nothing more taken (R6).
if call('EXISTS', done) == 1 then
  return {0, 'duplicate', 0, 0, 0}
end
local held = tonumber(call('ZSCORE', leases, uid))
if held and held > now then
  local _, _, holder = string.find(call('HGET', calls, uid) or '', '^%d+ %d+ (.*)$')
  if holder ~= node then
    return {0, 'duplicate', 0, 0, 0}
  end
  return {1, held, call('ZCOUNT', leases, '(' .. string.format('%.0f', now), '+inf'), generation}
end

-- CAPS: refused here, the attempt spends nothing, and nothing needs to be written: the bucket refills from its instant.
local caps = whole(value[3]) + whole(value[4]) * whole(value[5])
local burst = 0
if caps > 0 then
  burst = math.max(1, tonumber(value[6]) and whole(value[6]) or caps)
end
local tokens = burst * 1000000
local refilled = tonumber(value[11])
if refilled then
  tokens = math.min(whole(value[10]) + math.max(0, now - refilled) * caps * 1000, tokens)
end
if caps <= 0 then
  return {0, 'caps', 0, 0, 0}
end
if tokens < 1000000 then
  return {0, 'caps', caps, burst, math.ceil((1000000 - tokens) / (caps * 1000))}
end
tokens = tokens - 1000000

-- Concurrent calls: refused here, it was an attempt all the same and its token is spent (R6).
local ceiling = whole(value[7]) + whole(value[8]) * whole(value[9])
local in_use = call('ZCOUNT', leases, '(' .. string.format('%.0f', now), '+inf')
if in_use >= ceiling then
  call('HSET', account, 'tokens_micro', tokens, 'refilled_ms', now)
  return {0, 'calls', ceiling, in_use, 0}
end

if held then
  -- Its own lease ran out and the bounded sweep has not come to it: that one expired, this is a new one.
  call('HINCRBY', account, 'leases_expired', 1)
end
local lease_until = now + lease_ms
call('HSET', account, 'tokens_micro', tokens, 'refilled_ms', now, 'calls_admitted', whole(value[12]) + 1)
call('ZADD', leases, lease_until, uid)
call('HSET', calls, uid, string.format('%.0f 0 %s', now, node))
return {1, lease_until, in_use + 1, generation}
