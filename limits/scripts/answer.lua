-- answer: this call was answered now; the charging clock starts. Idempotent by uid; a record replaces the one kept.
-- USES: part_record part_frequency
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset
-- ARGV: 1 uid, 2 record, 3 received (1: this holder has received the call, and only that is noted)
-- RETURNS: {1, already}
--       or {0, 'unknown', 0, 0, 0}

local calls, records, uid = KEYS[3], KEYS[4], ARGV[1]

if ARGV[3] == '1' then
  if call('HEXISTS', KEYS[1], 'generation') == 0 then
    return {0, 'unknown', 0, 0, 0}
  end
  counting_of(KEYS[1]).count_day('r:', clock_ms())
  return {1, 0}
end
local line = call('HGET', calls, uid)
local _, _, admitted, answered, rest = string.find(line or '', '^(%d+) (%d+) %d+ (.*)$')
if not admitted then
  if call('HEXISTS', KEYS[1], 'generation') == 0 then
    return {0, 'unknown', 0, 0, 0}
  end
  return {1, 1}
end
if ARGV[2] ~= '' then
  call('HSET', records, uid, ARGV[2])
end
if answered ~= '0' then
  return {1, 1}
end
local now = clock_ms()
call('HSET', calls, uid, string.format('%s %d %d %s', admitted, now, now, rest))
return {1, 0}
