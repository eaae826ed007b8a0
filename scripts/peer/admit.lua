-- Admission of one call at the peer, all or nothing: status, attempts per second (a token bucket), concurrent calls, lease.
-- KEYS[1] account (hash)  KEYS[2] its live calls (sorted by the end of their lease, ms)  KEYS[3] the call (hash)
-- KEYS[4] records (stream)
-- ARGV[1] Call-ID  ARGV[2] called number  ARGV[3] 1: a refusal leaves a record too
-- 200 admitted, 403 unknown or suspended, 503 over a ceiling. The same call again is admitted again, and costs nothing.
local account = redis.call('HMGET', KEYS[1], 'status', 'caps', 'burst', 'calls', 'lease_ms', 'tokens', 'at_ms')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function refuse(code)
  if ARGV[3] == '1' then
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100000, '*', 'call', ARGV[1], 'account', KEYS[1], 'called', ARGV[2],
      'began_ms', now, 'status', code)
  end
  return code
end

if account[1] ~= 'active' then return refuse(403) end
if redis.call('EXISTS', KEYS[3]) == 1 then return 200 end

local burst = tonumber(account[3])
local tokens = tonumber(account[6]) or burst
tokens = math.min(burst, tokens + (now - (tonumber(account[7]) or now)) * tonumber(account[2]) / 1000)
if tokens < 1 then return refuse(503) end
-- An attempt refused for calls spends its token: it was one.
redis.call('HSET', KEYS[1], 'tokens', tokens - 1, 'at_ms', now)

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(account[4]) then return refuse(503) end

local lease_ms = tonumber(account[5])
redis.call('ZADD', KEYS[2], now + lease_ms, ARGV[1])
redis.call('HSET', KEYS[3], 'began_ms', now, 'called', ARGV[2])
redis.call('PEXPIRE', KEYS[3], lease_ms)
return 200
