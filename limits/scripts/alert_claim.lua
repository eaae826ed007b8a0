-- alert_claim: of many nodes one sends to a webhook; it keeps its claim as long as it renews it.
-- KEYS: 1 claim
-- ARGV: 1 node, 2 milliseconds
-- RETURNS: {1} it is this node's, {0} it is another's

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {0}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1}
