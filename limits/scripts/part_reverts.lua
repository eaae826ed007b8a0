-- part_reverts: values that were changed for a time return to what they were, for the scripts that read values.

-- To be called where `revert_at` is not empty; true where something was due and the values are to be read again.
local function revert(account, revert_at, now)
  local due = tonumber(revert_at)
  if not due or now < due then
    return false
  end
  local reverts = account .. ':reverts'
  local pending = redis.call('HGETALL', reverts)
  local changes, earliest = {}, ''
  for i = 1, #pending, 2 do
    local _, _, at, back = string.find(pending[i + 1], '^(%d+) (.*)$')
    at = tonumber(at) or 0
    if at <= now then
      local field = pending[i]
      changes[#changes + 1] = 'was:' .. field
      changes[#changes + 1] = redis.call('HGET', account, field) or ''
      changes[#changes + 1] = field
      changes[#changes + 1] = back or ''
      redis.call('HSET', account, field, back or '')
      redis.call('HDEL', reverts, field)
    elseif earliest == '' or at < earliest then
      earliest = at
    end
  end
  redis.call('HSET', account, 'revert_at', earliest, 'is_beyond', '1')
  local generation = redis.call('HINCRBY', account, 'generation', 1)
  redis.call('XADD', account .. ':audit', 'MAXLEN', '~', '1000', '*', 'generation', generation, 'by', 'until', 'why',
    'reverted', unpack(changes))
  return true
end
