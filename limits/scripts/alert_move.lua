-- alert_move: compare-and-set of one alert's standing, and what is told of it: both or neither, and once.
-- KEYS: 1 hash of standings, 2 stream of events
-- ARGV: 1 alert, 2 standing expected ('' none), 3 standing to be ('' none), 4 event ('' nothing is told), 5 events kept
-- RETURNS: {1} moved, {0} another one is there

if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return {0}
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[4])
end
return {1}
