-- beat: this node is alive; who else is?
-- KEYS: 1 nodes zset
-- ARGV: 1 node ('' to look only), 2 forget_ms
-- RETURNS: {now_ms, {node, age_ms, ...}}: milliseconds since each node's last beat, this one's before it included

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
local ages = {}
local known = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #known, 2 do
  ages[#ages + 1] = known[i]
  ages[#ages + 1] = now - tonumber(known[i + 1])
end
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
return {now, ages}
