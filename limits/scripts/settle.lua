-- settle: the call is over; its lease is released and a tombstone left. A second settle changes nothing and says so.
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 tombstone of this uid
-- ARGV: 1 uid, 2 outcome, 3 duration_ms, 4 tombstone_ms
-- RETURNS: {1, already}
--       or {0, 'unknown', 0, 0, 0}

local call = redis.call
local account, leases, calls, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, outcome = ARGV[1], ARGV[2]
local field = 'settled_' .. outcome

local value = call('HMGET', account, 'generation', 'calls_settled', field, 'talk_ms', 'settled_late')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
if not call('SET', done, outcome, 'PX', ARGV[4], 'NX') then
  return {1, 1}
end
if call('ZREM', leases, uid) == 0 then
  -- The lease had run out, or the store never gave one: counted apart, so that leases given = leases ended.
  if outcome ~= 'given_back' then
    call('HSET', account, 'settled_late', (tonumber(value[5]) or 0) + 1)
  end
  return {1, 1}
end
call('HDEL', calls, uid)
call('HSET', account, 'calls_settled', (tonumber(value[2]) or 0) + 1, field, (tonumber(value[3]) or 0) + 1,
  'talk_ms', (tonumber(value[4]) or 0) + tonumber(ARGV[3]))
return {1, 0}
