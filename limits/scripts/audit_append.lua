-- audit_append: one entry at the end of the audit; beyond so many the oldest go, and the chain begins after them.
-- KEYS: 1 audit stream, 2 hash of where the chain begins
-- ARGV: 1 sequence number it is to have, 2 digest of the entry before it ('' none), 3 entry, 4 its digest, 5 entries kept
-- RETURNS: {1, seq}: entered; {3, last seq}: another entry came first

local call = redis.call

local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then
      return entry[2][i + 1]
    end
  end
  return ''
end

local function number(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local last = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local seq, digest = 0, ''
if last[1] then
  seq, digest = number(last[1]), field(last[1], 'digest')
end
if seq + 1 ~= tonumber(ARGV[1]) or digest ~= ARGV[2] then
  return {3, seq}
end
call('XADD', KEYS[1], ARGV[1] .. '-0', 'entry', ARGV[3], 'digest', ARGV[4])
if call('XLEN', KEYS[1]) > tonumber(ARGV[5]) then
  local first = call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  call('HSET', KEYS[2], 'seq', number(first), 'digest', field(first, 'digest'))
  call('XDEL', KEYS[1], first[1])
end
return {1, seq + 1}
