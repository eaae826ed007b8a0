-- ledger_append: one entry at the end of a holder's ledger, once for each reference.
-- KEYS: 1 holder hash, 2 ledger stream, 3 references hash
-- ARGV: 1 sequence number it is to have, 2 digest of the entry before it ('' none), 3 reference, 4 entry, 5 its digest
-- RETURNS: {1, seq}: entered; {2, seq}: this reference stands there already; {3, last seq}: another entry came first;
--       {0, 0}: no such holder

local call = redis.call

if call('EXISTS', KEYS[1]) == 0 then
  return {0, 0}
end
local booked = call('HGET', KEYS[3], ARGV[3])
if booked then
  return {2, tonumber(booked)}
end
local last = call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local seq, digest = 0, ''
if last[1] then
  seq = tonumber(string.match(last[1][1], '^%d+'))
  for i = 1, #last[1][2], 2 do
    if last[1][2][i] == 'digest' then
      digest = last[1][2][i + 1]
    end
  end
end
if seq + 1 ~= tonumber(ARGV[1]) or digest ~= ARGV[2] then
  return {3, seq}
end
call('XADD', KEYS[2], ARGV[1] .. '-0', 'entry', ARGV[4], 'digest', ARGV[5])
call('HSET', KEYS[3], ARGV[3], ARGV[1])
return {1, seq + 1}
