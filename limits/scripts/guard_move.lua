-- guard_move: compare-and-set of one state of a holder, so that of many nodes which see the same one acts.
-- KEYS: 1 guard hash
-- ARGV: 1 name, 2 state expected ('' none), 3 state to be ('' none)
-- RETURNS: {1} moved, {0} another one is there

if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return {0}
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return {1}
