-- change: compare-and-set of some values, with an audit entry. In force at the next admit, on every node.
-- KEYS: 1 account hash, 2 audit stream
-- ARGV: 1 expected generation, 2 by, 3 why, 4 audit length, 5... field, value, ...
-- RETURNS: {1, new generation}, {2, generation found} where it is not the expected one, {0, 'unknown', 0, 0, 0}

local call = redis.call
local account, audit = KEYS[1], KEYS[2]

local found = tonumber(call('HGET', account, 'generation'))
if not found then
  return {0, 'unknown', 0, 0, 0}
end
if found ~= tonumber(ARGV[1]) then
  return {2, found}
end
call('HSET', account, 'generation', found + 1, unpack(ARGV, 5))
call('XADD', audit, 'MAXLEN', '~', ARGV[4], '*', 'generation', found + 1, 'by', ARGV[2], 'why', ARGV[3],
  unpack(ARGV, 5))
return {1, found + 1}
