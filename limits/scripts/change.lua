-- change: compare-and-set of some values, for good or until an instant, with an audit entry and a notice to every node.
-- USES: part_record part_reverts
-- KEYS: 1 account hash, 2 audit stream, 3 reverts hash
-- ARGV: 1 expected generation, 2 by, 3 why, 4 audit length, 5 until_ms ('' for good), 6 holder, 7... field, value, ...
-- RETURNS: {1, new generation}, {2, generation found} where it is not the expected one, {0, 'unknown', 0, 0, 0}

local account, audit, reverts = KEYS[1], KEYS[2], KEYS[3]

local value = redis.call('HMGET', account, 'generation', 'revert_at')
if not value[1] then
  return {0, 'unknown', 0, 0, 0}
end
if value[2] and value[2] ~= '' and revert(account, value[2], clock_ms()) then
  value = redis.call('HMGET', account, 'generation', 'revert_at')
end
local found = tonumber(value[1])
if found ~= tonumber(ARGV[1]) then
  return {2, found}
end
local entry = {}
for i = 7, #ARGV, 2 do
  local field, after = ARGV[i], ARGV[i + 1]
  local before = redis.call('HGET', account, field) or ''
  entry[#entry + 1] = 'was:' .. field
  entry[#entry + 1] = before
  entry[#entry + 1] = field
  entry[#entry + 1] = after
  if ARGV[5] ~= '' then
    -- A change for a time on top of another returns to what was before both.
    local _, _, back = string.find(redis.call('HGET', reverts, field) or '', '^%d+ (.*)$')
    redis.call('HSET', reverts, field, ARGV[5] .. ' ' .. (back or before))
  else
    redis.call('HDEL', reverts, field)
  end
  redis.call('HSET', account, field, after)
end
local earliest = ''
local pending = redis.call('HVALS', reverts)
for i = 1, #pending do
  local at = tonumber(string.match(pending[i], '^%d+'))
  if at and (earliest == '' or at < earliest) then
    earliest = at
  end
end
redis.call('HSET', account, 'generation', found + 1, 'revert_at', earliest, 'is_beyond', '1')
redis.call('XADD', audit, 'MAXLEN', '~', ARGV[4], '*', 'generation', found + 1, 'by', ARGV[2], 'why', ARGV[3], 'until',
  ARGV[5], unpack(entry))
redis.call('PUBLISH', 'trunkgate:changes', ARGV[6])
return {1, found + 1}
