-- The end of one call at the peer: frees its place, leaves one line of record. A second time it does nothing.
-- KEYS[1] live calls of the account  KEYS[2] the call (hash)  KEYS[3] records (stream)
-- ARGV[1] Call-ID  ARGV[2] account  ARGV[3] seconds spoken  ARGV[4] how it ended
local call = redis.call('HMGET', KEYS[2], 'began_ms', 'called')
if not call[1] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'call', ARGV[1], 'account', ARGV[2], 'called', call[2],
  'began_ms', call[1], 'seconds', ARGV[3], 'ended', ARGV[4])
return 1
