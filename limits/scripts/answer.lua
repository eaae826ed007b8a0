-- answer: this call was answered now; the charging clock starts. Idempotent by uid.
-- USES: part_leases
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash
-- ARGV: 1 uid
-- RETURNS: {1, already}
--       or {0, 'unknown', 0, 0, 0}

local account, calls, uid = KEYS[1], KEYS[3], ARGV[1]

if call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
local record = call('HGET', calls, uid)
local _, _, admitted, answered, node = string.find(record or '', '^(%d+) (%d+) (.*)$')
if answered ~= '0' then
  return {1, 1}
end
call('HSET', calls, uid, string.format('%s %.0f %s', admitted, clock_ms(), node))
return {1, 0}
