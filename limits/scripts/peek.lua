-- peek: everything in force and in use; takes nothing, writes nothing.
-- USES: part_leases
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash
-- ARGV: none
-- RETURNS: {1, now_ms, in_use, {field, value, ...}, {uid, node, lease_until_ms, ...}}: the next to expire first, 10,000 at most
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls = KEYS[1], KEYS[2], KEYS[3]

local fields = call('HGETALL', account)
if call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
local after = '(' .. string.format('%.0f', now)
local live = call('ZRANGEBYSCORE', leases, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 10000)
local holders = {}
for i = 1, #live, 2 do
  local record = call('HGET', calls, live[i])
  local _, _, node = string.find(record or '', '^%d+ %d+ (.*)$')
  holders[#holders + 1] = live[i]
  holders[#holders + 1] = node or ''
  holders[#holders + 1] = tonumber(live[i + 1])
end
return {1, now, call('ZCOUNT', leases, after, '+inf'), fields, holders}
