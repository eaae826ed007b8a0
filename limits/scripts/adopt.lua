-- adopt: take over calls of a node that is gone. Each call goes to exactly one node, whoever asks first.
-- USES: part_record part_price part_money part_leases
-- KEYS: 1 account hash, 2 leases zset, 3 calls hash, 4 records hash, 5 expired zset
-- ARGV: 1 node that is gone, 2 node that takes over, 3 lease_ms, 4 most calls, 5 milliseconds for which nothing has come
-- from that node about a call, 6... uids to leave alone
-- RETURNS: {1, now_ms, more (0 or 1), fresh (0 or 1: it has spoken of a call since), {uid, is_expired, admitted_ms, answered_ms, renewed_ms, paid_s, charged, price, member, record, ...}}
--       or {0, 'unknown', 0, 0, 0}

local account, leases, calls, records, expired = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local gone, heir, lease_ms, most, silent_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

if call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
local now = clock_ms()
sweep(account, leases, calls, records, expired, now)
local kept = {}
for i = 6, #ARGV do
  kept[ARGV[i]] = true
end
local taken, count, more, fresh = {}, 0, 0, 0

local function take(uids, is_expired)
  for i = 1, #uids do
    local uid = uids[i]
    local record = not kept[uid] and read_call(call('HGET', calls, uid)) or nil
    if record and record.node == gone and now - record.renewed < silent_ms then
      fresh = 1 -- admitted or renewed since its node should have been gone: it lives, whatever its heartbeats say
    elseif record and record.node == gone then
      if count == most then
        more = 1
        return
      end
      count = count + 1
      local before = record.renewed
      record.node, record.hands = heir, '1'
      if is_expired == 0 then
        record.renewed = now
        call('ZADD', leases, now + lease_ms, uid)
        if record.prefix ~= '-' then
          call('ZADD', leases .. ':' .. record.prefix, now + lease_ms, uid)
        end
        if record.member ~= '-' then
          call('ZADD', leases .. ':@' .. record.member, now + lease_ms, uid)
        end
      end
      call('HSET', calls, uid, write_call(record))
      local words = { uid, is_expired, record.admitted, record.answered, before, record.paid, record.charged,
        record.price or '', record.member, call('HGET', records, uid) or '' }
      for word = 1, #words do
        taken[#taken + 1] = words[word]
      end
    end
  end
end

take(call('ZRANGE', leases, 0, -1), 0)
take(call('ZRANGE', expired, 0, -1), 1)
return {1, now, more, fresh, taken}
