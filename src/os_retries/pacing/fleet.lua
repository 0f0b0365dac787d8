-- One step of the pacer that a fleet shares.  It is os_retries.pacing.local.LocalPacer, translated line by line.
-- A test runs both side by side.  fleet.py puts the constants of LocalPacer in front of this text.
--
-- KEYS, all of one endpoint, with the same hash tag: the numbers; the queue (the waiting calls, ordered by arrival); and
-- for each waiting call the instant by which it must ask again, or is considered dead.
-- ARGV: how many attempts have succeeded; how many have failed; the seconds after which the failed calls will try again;
-- 1 if the process did not know of the trouble, else 0; "ask", "leave" or ""; the name of the call that asks or leaves;
-- and the seconds for which it has been asking.
-- Returns the seconds after which to ask again, as text (Redis would cut off the fraction), and 1 in trouble, else 0.

local NUMBERS, QUEUE, ALIVE = KEYS[1], KEYS[2], KEYS[3]
local succeeded, failed, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local unaware, what, who, age = ARGV[4] == '1', ARGV[5], ARGV[6], tonumber(ARGV[7])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local NAMES = {
  'now', 'faded', 'succeeded', 'failed', 'trouble', 'back', 'second', 'rate', 'tokens', 'fast',
  'good', 'bad', 'went', 'unaware', 'usual',
}
local s = {}

local function text(number)
  return string.format('%.17g', number)
end

local function rest()
  s.trouble = 0
  s.back, s.second = s.now, s.now
  s.rate, s.tokens, s.fast = START, BURST, 1
  s.good, s.bad, s.went, s.unaware = 0, 0, 0, 0
  s.usual = 0
end

local function load()
  local values = redis.call('HMGET', NUMBERS, unpack(NAMES))
  for i, name in ipairs(NAMES) do
    s[name] = tonumber(values[i] or '')
    if not s[name] then  -- new, expired or flushed
      s = {now = now, faded = now, succeeded = 0, failed = 0}
      return rest()
    end
  end
end

local function save()
  local values = {}
  for _, name in ipairs(NAMES) do
    values[#values + 1] = name
    values[#values + 1] = text(s[name])
  end
  redis.call('HSET', NUMBERS, unpack(values))
  for _, key in ipairs(KEYS) do
    redis.call('EXPIRE', key, FORGET)
  end
end

local function remove(name)
  redis.call('ZREM', QUEUE, name)
  redis.call('ZREM', ALIVE, name)
end

local function waiting()
  return redis.call('ZCARD', QUEUE)
end

local function look_back()
  local took = s.now - s.second
  -- Processes that did not know of the trouble report failures but no successes, so their failures give no share.
  local bad = s.bad - s.unaware
  local outcomes = s.good + bad
  local failing = outcomes > 0 and (bad - 1 - 0.5 * math.sqrt(outcomes)) / outcomes or 0
  local too_much = s.bad > s.went and GROWING or math.min(GROWING, DRAINING + 1.25 * s.usual)
  if outcomes > 0 and failing <= GROWING then
    s.usual = math.max(0, s.usual + (failing - s.usual) * (failing > s.usual and 0.1 or 0.5))
  end
  if failing > too_much then
    local rate = s.rate * CUT
    if failing > GROWING then
      rate = math.min(rate, s.rate - s.bad / took)
    end
    s.rate = math.max(LOWEST, rate)
    s.fast = s.rate == LOWEST and 1 or 0
  elseif s.good > 0 and waiting() > 0 and s.went >= 0.5 * s.rate * took then
    local carried = s.good / took
    s.rate = s.rate + (s.fast == 1 and math.max(FAST * carried, math.min(s.rate, BURST)) or SLOW * carried)
  end
  s.second = s.now
  s.good, s.bad, s.went, s.unaware = 0, 0, 0, 0
end

local function fade()
  local left = math.exp((s.faded - s.now) / FADING)
  s.faded = s.now
  s.succeeded = s.succeeded * left
  s.failed = s.failed * left
  if s.trouble == 1 and waiting() == 0 and s.now >= s.back and s.failed <= s.succeeded + 2 then
    rest()
  end
end

local function advance()
  local passed = now - s.now
  if passed <= 0 then
    if passed < -JUMP then
      s.now, s.second, s.faded = now, now, now
      s.back = math.min(s.back, now + LONGEST_BACK)
      redis.call('DEL', QUEUE, ALIVE)  -- their instants are in the future; a call that still waits will ask again
    end
    return
  end
  s.now = now
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, '-inf', text(now), 'LIMIT', 0, 100)) do
    remove(dead)
  end
  if s.trouble == 1 then
    s.tokens = math.min(s.tokens + s.rate * passed, math.max(BURST, s.rate / 10))
    if now - s.second >= 1 then
      look_back()
    end
  end
  if now - s.faded >= STEP then
    fade()
  end
end

local function note()
  s.succeeded = s.succeeded + succeeded
  s.failed = s.failed + failed
  local too_many = (s.succeeded + s.failed) / MEMORY
  if too_many > 1 then
    s.succeeded = s.succeeded / too_many
    s.failed = s.failed / too_many
  end
  if s.trouble == 0 and s.failed - s.succeeded >= MARGIN then
    rest()
    s.trouble = 1
  end
  if s.trouble == 1 then
    s.bad = s.bad + failed
    if unaware then
      s.unaware = s.unaware + failed
    else
      s.good = s.good + succeeded
    end
    if failed > 0 and s.failed > s.succeeded then
      s.back = math.max(s.back, s.now + math.min(back, LONGEST_BACK))
    end
  end
end

local function go()
  s.went = s.went + 1
  remove(who)
  return 0
end

local function ask()
  if s.trouble == 0 then
    s.tokens = math.max(0, s.tokens - 1)
    return go()
  end
  redis.call('ZADD', QUEUE, 'NX', text(s.now - age), who)
  local all = waiting()
  local ahead = redis.call('ZRANK', QUEUE, who)  -- calls of the same instant are ordered by their names
  local longest = math.min(math.max(NAP_FEW, all / MANY), NAP_MANY)
  if s.tokens >= 1 and ahead < s.tokens + s.rate * longest then
    s.tokens = s.tokens - 1
    return go()
  end
  local nap = math.min(math.max(0.7 * (ahead + 1 - s.tokens) / s.rate, NAP_LEAST), longest)
  redis.call('ZADD', ALIVE, text(now + nap + GRACE), who)
  return nap
end

load()
advance()
if succeeded + failed > 0 then
  note()
end
local nap = 0
if what == 'ask' then
  nap = ask()
elseif what == 'leave' then
  remove(who)
end
save()
return {text(nap), s.trouble}
