-- part_leases: the clock of the store and the sweep of leases that ran out, for the scripts that name it in USES.

local call = redis.call

-- Milliseconds of the store's own clock: one clock for all nodes. Exact in a Lua number until the year 287396.
local function clock_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number from a field of a hash; 0 where it is absent or was written by hand as something else.
local function whole(field)
  return math.floor(tonumber(field) or 0)
end

-- Frees leases that ran out, the oldest 64 at most: bounded work for one call, the next one goes on where this ended.
local function sweep(account, leases, calls, now)
  local gone = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 64)
  if #gone > 0 then
    call('ZREM', leases, unpack(gone))
    call('HDEL', calls, unpack(gone))
    call('HINCRBY', account, 'leases_expired', #gone)
  end
end
