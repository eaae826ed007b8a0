-- epoch: the name of this life of the store. A store that lost its data has forgotten it and takes the fresh one.
-- KEYS: 1 epoch string
-- ARGV: 1 fresh name
-- RETURNS: the name in force

if redis.call('SET', KEYS[1], ARGV[1], 'NX') then
  return ARGV[1]
end
return redis.call('GET', KEYS[1])
