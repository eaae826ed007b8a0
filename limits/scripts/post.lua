-- post: letters into a box that holds only so many
-- KEYS: 1 box (list)
-- ARGV: 1 most the box holds, 2 life_ms of these letters, 3.. letters
-- RETURNS: {taken, now_ms}: so many of them, the first ones, were put in

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local room = most - redis.call('LLEN', KEYS[1])
local stamp = string.format('%.0f ', now + life)
local taken = 0
for i = 3, #ARGV do
  if taken >= room then break end
  redis.call('RPUSH', KEYS[1], stamp .. ARGV[i])
  taken = taken + 1
end
if taken > 0 then redis.call('PEXPIRE', KEYS[1], life) end
return {taken, now}
