-- contact: what happened with a person is recorded; of each instant the latest counts. Recording twice changes nothing.
-- KEYS: 1 account hash, 2 contact hash, 3 list of what was recorded
-- ARGV: 1 refused_ms, 2 consent_ms, 3 hours_ms, 4 withdrawn_ms, 5 contract_ms (0: not this), 6 keep_ms, 7 what to note
-- RETURNS: {1, refused_ms, consent_ms, hours_ms, withdrawn_ms, contract_ms}
--       or {0, 'unknown', 0, 0, 0}

local account, contact, log = KEYS[1], KEYS[2], KEYS[3]

if redis.call('HEXISTS', account, 'generation') == 0 then
  return {0, 'unknown', 0, 0, 0}
end
local names = { 'refused_ms', 'consent_ms', 'hours_ms', 'withdrawn_ms', 'contract_ms' }
local before = redis.call('HMGET', contact, unpack(names))
local after, is_news = { 1 }, false
for i = 1, 5 do
  local was, is = tonumber(before[i] or '0') or 0, tonumber(ARGV[i])
  if is > was then
    is_news = true
    redis.call('HSET', contact, names[i], string.format('%.0f', is))
  end
  after[i + 1] = math.max(was, is)
end
if is_news then
  redis.call('RPUSH', log, ARGV[7])
  redis.call('LTRIM', log, -100, -1)
end
-- Kept as long as the law wants the longest-lived of it; never shortened.
for _, key in ipairs({ contact, log }) do
  if redis.call('PTTL', key) < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', key, ARGV[6])
  end
end
return after
