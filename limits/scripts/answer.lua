-- answer: this call was answered now; the charging clock starts. Idempotent by uid; a record replaces the one kept.
-- USES: part_money part_leases part_frequency
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset
-- ARGV: 1 uid, 2 record, 3 received (1: this holder has received the call, and only that is noted)
-- RETURNS: {1, already}
--       or {0, 'unknown', 0, 0, 0}

local account, calls, records, uid = KEYS[1], KEYS[3], KEYS[4], ARGV[1]

if call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
if ARGV[3] == '1' then
  count_day(account, 'r:', clock_ms())
  return {1, 0}
end
local record = read_call(call('HGET', calls, uid))
if not record then
  return {1, 1}
end
if ARGV[2] ~= '' then
  call('HSET', records, uid, ARGV[2])
end
if record.answered > 0 then
  return {1, 1}
end
record.answered = clock_ms()
record.renewed = record.answered
call('HSET', calls, uid, write_call(record))
return {1, 0}
