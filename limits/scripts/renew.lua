-- renew: these calls of one account are alive on this node. A call that runs holds a lease, even if the store lost it.
-- USES: part_leases
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4... tombstone of each uid, in order
-- ARGV: 1 node, 2 lease_ms, 3... uids
-- RETURNS: {1, lease_until_ms, {uids whose lease was taken again}, {uids settled already}}
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls = KEYS[1], KEYS[2], KEYS[3]
local node, lease_ms = ARGV[1], tonumber(ARGV[2])

if call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
local lease_until = now + lease_ms
local reasserted, ended = {}, {}
local expired = 0
local seen = {}

-- In slices, since one command may carry only so many values of the Lua stack.
for first = 3, #ARGV, 500 do
  local last = math.min(first + 499, #ARGV)
  local scores = call('ZMSCORE', leases, unpack(ARGV, first, last))
  local records = call('HMGET', calls, unpack(ARGV, first, last))
  local tombs = call('MGET', unpack(KEYS, first + 1, last + 1))
  local zadd, hset = {}, {}
  for i = 1, last - first + 1 do
    local uid = ARGV[first + i - 1]
    if seen[uid] then
      -- named twice: once is enough
    elseif tombs[i] and tombs[i] ~= 'given_back' then
      ended[#ended + 1] = uid
    else
      if tombs[i] then
        call('DEL', KEYS[first + i])
      end
      local score = tonumber(scores[i])
      if not score or score <= now then
        reasserted[#reasserted + 1] = uid
        if score then
          expired = expired + 1
        end
      end
      zadd[#zadd + 1] = lease_until
      zadd[#zadd + 1] = uid
      -- The node that renews a call owns it: this is how a survivor adopts the calls of a dead one.
      local _, _, instants, holder = string.find(records[i] or '', '^(%d+ %d+) (.*)$')
      if holder ~= node then
        hset[#hset + 1] = uid
        hset[#hset + 1] = (instants or string.format('%.0f 0', now)) .. ' ' .. node
      end
    end
    seen[uid] = true
  end
  if #zadd > 0 then
    call('ZADD', leases, unpack(zadd))
  end
  if #hset > 0 then
    call('HSET', calls, unpack(hset))
  end
end

if #reasserted > 0 then
  call('HINCRBY', account, 'leases_reasserted', #reasserted)
end
if expired > 0 then
  call('HINCRBY', account, 'leases_expired', expired)
end
-- After our own: what is alive must not be swept by the message that says so.
sweep(account, leases, calls, now)
return {1, lease_until, reasserted, ended}
