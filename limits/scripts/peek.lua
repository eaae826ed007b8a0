-- peek: everything in force and in use; takes nothing, writes nothing (but what is due to revert has reverted).
-- USES: part_record part_reverts
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset, 6 reverts hash
-- ARGV: none
-- RETURNS: {1, now_ms, in_use, {field, value, ...}, {uid, node, lease_until_ms, admitted_ms, answered_ms, paid_s, held,
--        ...}, expired, {prefix, in_use, ...}, {value, 'at_ms back', ...},
--        {field, calls, ...} (limits/share.py)}
--       or {0, 'unknown', 0, 0, 0}; of the calls the next to expire first, 10,000 at most

local account, leases, calls = KEYS[1], KEYS[2], KEYS[3]

local found = call('HMGET', account, 'generation', 'revert_at', 'prefix_ceilings')
if not found[1] then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
if found[2] and found[2] ~= '' then
  revert(account, found[2], now)
end
local after = '(' .. string.format('%.0f', now)
local live = call('ZRANGEBYSCORE', leases, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 10000)
local holders = {}
for i = 1, #live, 2 do
  local record = read_call(call('HGET', calls, live[i]))
  for _, item in ipairs({ live[i], record and record.node or '', tonumber(live[i + 1]), record and record.admitted or 0,
    record and record.answered or 0, record and record.paid or 0, record and record.held or 0 }) do
    holders[#holders + 1] = item
  end
end
local prefixes = {}
for prefix in string.gmatch(found[3] or '', '([^ :]+):%d*:%d*') do
  prefixes[#prefixes + 1] = prefix
  prefixes[#prefixes + 1] = string.format('%.0f', call('ZCOUNT', leases .. ':' .. prefix, after, '+inf'))
end
return {1, now, call('ZCOUNT', leases, after, '+inf'), call('HGETALL', account), holders, call('ZCARD', KEYS[5]),
  prefixes, call('HGETALL', KEYS[6]), call('HGETALL', account .. ':share')}
