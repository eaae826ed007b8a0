-- part_frequency: ceilings of how often and whom, for the scripts that name it in USES (after part_record). The rules are
-- those of limits/frequency.py. A count is a zset {acct:ID}:freq:NAME:KEY of uid (or item) -> instant, of which only the
-- newest MOST + 1 are kept: enough to judge any window, whatever comes.

-- 'f name key most window counts item mode;c key refused consent contract hours mode;g name most mode;' as tables.
local function read_terms(text)
  local frequencies, contact, guard = {}, nil, nil
  for kind, words in string.gmatch(text, '(%a) ([^;]*);') do
    local word = {}
    for one in string.gmatch(words, '%S+') do
      word[#word + 1] = one
    end
    if kind == 'f' then
      frequencies[#frequencies + 1] = { name = word[1], key = word[2], most = tonumber(word[3]),
        window = tonumber(word[4]), counts = word[5], item = word[6], mode = word[7], percent = tonumber(word[8]) }
    elseif kind == 'c' then
      contact = { key = word[1], refused = tonumber(word[2]), consent = tonumber(word[3]), contract = word[4] == '1',
        hours = tonumber(word[5]), mode = word[6] }
    else
      guard = { name = word[1], most = tonumber(word[2]), mode = word[3] }
    end
  end
  return frequencies, contact, guard
end

-- What is counted for this account: made for those that ask for it, most attempts do not.
local function counting_of(account)
  local counting = {}

  local function key_of(one)
    return account .. ':freq:' .. one.name .. ':' .. one.key
  end

  -- Calls placed ('p:') and received ('r:') by day of UTC, as limits/share.py has it: one more, today.
  function counting.count_day(kind, now)
    local key, day = account .. ':share', math.floor(now / 86400000)
    if call('HINCRBY', key, string.format('%s%d', kind, day), 1) > 1 then
      return
    end
    call('HSETNX', key, 'since', string.format('%d', day))
    for _, field in ipairs(call('HKEYS', key)) do
      local old = string.match(field, '^[pr]:(%d+)$')
      if old and tonumber(old) < day - 401 then
        call('HDEL', key, field)
      end
    end
  end

  -- Is one more call placed at most so many percent of those received? What is not known speaks against it.
  function counting.has_share(one, now)
    local first = math.floor((now - one.window) / 86400000)
    local placed, received, since = 1, 0, nil
    local all = call('HGETALL', account .. ':share')
    for i = 1, #all, 2 do
      local kind, day = string.match(all[i], '^([pr]):(%d+)$')
      if kind == 'p' and tonumber(day) >= first then
        placed = placed + tonumber(all[i + 1])
      elseif kind == 'r' and tonumber(day) > first then
        received = received + tonumber(all[i + 1])
      elseif all[i] == 'since' then
        since = tonumber(all[i + 1])
      end
    end
    return since ~= nil and since < first and placed * 100 <= one.percent * received
  end

  -- How many lie in its window.
  function counting.since(one, now)
    return call('ZCOUNT', key_of(one), string.format('(%d', now - one.window), '+inf')
  end

  -- Would one more be too many? What counts in the window now, and when a place is free again (ms; 0: never). What is
  -- counted there already, an item or the same attempt asked again, is not one more.
  function counting.judge(one, uid, now)
    local key, used = key_of(one), counting.since(one, now)
    if used < one.most then
      return false, used, 0
    end
    if one.counts ~= 'marks' and used == one.most then
      local last = tonumber(call('ZSCORE', key, one.counts == 'distinct' and one.item or uid))
      if last and last > now - one.window then
        return false, used, 0
      end
    end
    if one.most == 0 then
      return true, used, 0
    end
    local oldest = call('ZREVRANGE', key, one.most - 1, one.most - 1, 'WITHSCORES')
    return true, used, math.max(1, tonumber(oldest[2]) + one.window - now)
  end

  function counting.count(one, member, now)
    local key = key_of(one)
    call('ZADD', key, now, member)
    call('ZREMRANGEBYRANK', key, 0, -(one.most + 2))
    call('PEXPIRE', key, string.format('%d', one.window + 86400000))
    if one.percent > 0 then
      counting.count_day('p:', now)
    end
  end

  function counting.take_back(one, uid)
    call('ZREM', key_of(one), uid)
  end

  -- Why this person may not be called; '': may be.
  function counting.judge_contact(asked, now)
    local value = call('HMGET', account .. ':contact:' .. asked.key, 'refused_ms', 'consent_ms', 'hours_ms',
      'withdrawn_ms', 'contract_ms')
    local refused, consent, hours = whole(value[1]), whole(value[2]), whole(value[3])
    if refused > 0 and asked.refused <= refused then
      return 'refused'
    end
    local undone = math.max(refused, whole(value[4]))
    local has_contract = asked.contract and whole(value[5]) > now
    if asked.consent > 0 and not has_contract and (consent < asked.consent or consent <= undone) then
      return 'consent'
    end
    if asked.hours > 0 and (hours < asked.hours or hours <= undone) then
      return 'hours'
    end
    return ''
  end

  return counting
end
