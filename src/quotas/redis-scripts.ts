import { STATE_KEY, STATE_TTL_MS, scriptOf } from './script-frame.ts';

/*
 * The counters of limits in a Redis, and the scripts that change them: one round trip for all limits of a call, and
 * nothing in between. Each limit has one key (`KEYS`), and the arguments of the limits follow those of the script (`ARGV`).
 * A script may be told several calls at once (`packCalls`), one after another; it gives a list of what each of them gives.
 *
 *   window   a hash: slice of two seconds → amount; beside them `sum`, of those that count in the slice `at`: it is added up once in a slice
 *   slots    a sorted set: call → when its lease ends
 *   budget   a hash with `spent` and `reserved`; beside it, at `KEY:held`, a sorted set of `call|amount` → when its lease ends, and
 *            at `KEY:lapsed` one of calls whose lease ran out → when that was found, and at `KEY:brought` a hash of what was brought
 *            in by others or from elsewhere: a part or a call → how much, and `before` → how much of `spent` was told as known
 *
 * A call is spent of a budget once: it leaves `held` or `lapsed` by that. So what of a budget was settled and what was not can be told
 * as long as there is the budget, also for an instance that got no answer or is no more.
 *
 * What is spent in data that begin anew is counted beside what was spent before, of which each instance knows no more than it heard: the
 * greatest of what they tell is `before`, whoever tells it last.
 *
 * Beside them stands a mark of the data (`STATE_KEY`). Who asks says which one it knows; a Redis that was emptied
 * has none or another, and then a script does nothing and says `LOST`.
 *
 * Times come from the instances: their clocks are taken to agree to within a second or so. Numbers are whole. Every key
 * has a time to live. A cluster is not supported: the keys of a call would lie on several of its nodes.
 */

/**
 * Takes of all limits or of none.
 * ARGV: now, call, lease in ms; for each limit: how it counts, max, amount, time to live in ms, what has to be left beside the amount.
 * Gives 1 and for each limit what is left, spent and reserved; or 0, the limit that refuses, what is left of it, and
 * the milliseconds to wait (-1: not known here), and what calls under way hold of a budget.
 */
export const RESERVE = scriptOf(`
local lease = tonumber(ARGV[3])
local left, spent, reserved, sums, there = {}, {}, {}, {}, {}
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 5
  local counts, max, amount = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local used = 0
  spent[i], reserved[i] = 0, 0
  if counts == 'window' then
    used, there[i] = readWindow(key)
    sums[i] = used
  elseif counts == 'slots' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
    used = redis.call('ZCARD', key)
  else
    release(key, ARGV[at + 4])
    local found = redis.call('HMGET', key, 'spent', 'reserved')
    there[i] = found[1] or found[2]
    if not found[2] then
      mend(key, ARGV[at + 4])
      found[2] = redis.call('HGET', key, 'reserved')
    end
    spent[i], reserved[i] = tonumber(found[1] or '0'), tonumber(found[2] or '0')
    used = spent[i] + reserved[i]
  end
  left[i] = max - used
  if amount + tonumber(ARGV[at + 5]) > left[i] or left[i] <= 0 then
    local wait = -1
    if counts == 'window' then
      local slices, entries = {}, redis.call('HGETALL', key)
      for j = 1, #entries, 2 do
        local when = tonumber(entries[j])
        if when then slices[#slices + 1] = { when, tonumber(entries[j + 1]) } end
      end
      table.sort(slices, function(a, b) return a[1] < b[1] end)
      local most = math.max(max - math.max(amount, 1), 0)
      for _, entry in ipairs(slices) do
        used = used - entry[2]
        wait = (entry[1] + SLICES) * SLICE_MS - now
        if used <= most then break end
      end
    end
    return { 0, i, left[i], wait, reserved[i] }
  end
end
local reply = { 1 }
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 5
  local counts, amount, ttl = ARGV[at + 1], tonumber(ARGV[at + 3]), ARGV[at + 4]
  if counts == 'window' then
    if amount > 0 then
      redis.call('HSET', key, 'at', whole(slice), 'sum', whole(sums[i] + amount), whole(slice), whole((there[i] or 0) + amount))
      if not there[i] then redis.call('PEXPIRE', key, WINDOW_TTL) end
    end
  elseif counts == 'slots' then
    redis.call('ZADD', key, whole(now + lease), call)
    redis.call('PEXPIRE', key, ttl)
  else
    reserve(key, amount)
    redis.call('ZADD', key .. ':held', whole(now + lease), call .. '|' .. whole(amount))
    if not there[i] then redis.call('PEXPIRE', key, ttl) end
    redis.call('PEXPIRE', key .. ':held', ttl)
    reserved[i] = reserved[i] + amount
  end
  reply[#reply + 1] = left[i] - amount
  reply[#reply + 1] = spent[i]
  reply[#reply + 1] = reserved[i]
end
return reply
`);

/**
 * Takes for a call that runs, without asking; however often it is told, the call takes once. Of a rate the last key is the mark that it was.
 * ARGV: now, call, lease in ms, how long the mark stays in ms, when it began; for each limit: how it counts, amount, time to live in ms.
 */
export const MOVE = scriptOf(`
local untilWhen, began = whole(now + tonumber(ARGV[3])), math.floor(tonumber(ARGV[5]) / SLICE_MS)
local isFirst
for i = 1, #KEYS - 1 do
  local key, at = KEYS[i], 5 + (i - 1) * 3
  local counts, amount, ttl = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  if counts == 'window' then
    if isFirst == nil then isFirst = redis.call('SET', KEYS[#KEYS], '1', 'NX', 'PX', ARGV[4]) ~= false end
    if isFirst and amount > 0 and began > slice - SLICES then
      change(key, began, amount)
      redis.call('PEXPIRE', key, WINDOW_TTL)
    end
  elseif counts == 'slots' then
    redis.call('ZADD', key, untilWhen, call)
    redis.call('PEXPIRE', key, ttl)
  else
    hold(key, call, amount, untilWhen, ttl)
  end
end
return 1
`);

/**
 * Settles a call, once. Of a budget its lease tells whether it was; where it has none and was certainly not sent before (`sure`), the
 * Redis lost it. One that others were told of before it was sent (`noted`) is in `brought` when it is counted: whoever does it. Of a rate
 * the call's place or lease tells it, or what says that it was not sent before; where it has neither, the last key is the mark that it was, and what was taken longer ago than the mark stays counts nowhere.
 * ARGV: now, call, how long the mark stays in ms, 1 where it is sure, 2 where it is noted; for each limit: how it counts, taken, used, when it was taken,
 * time to live.
 * Gives for each limit what is spent, or -1.
 */
export const SETTLE = scriptOf(`
local noted, unsent = ARGV[4] == '2', ARGV[4] == '1'
local sure = noted or unsent
local isFirst, isMarked = unsent, true
local reply = {}
for i = 1, #KEYS - 1 do
  reply[i] = -1
  local key, at = KEYS[i], 4 + (i - 1) * 5
  local counts, taken, used, ttl = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 5]
  if counts == 'slots' then
    isMarked = false
    if redis.call('ZREM', key, call) == 1 then isFirst = true end
  elseif counts ~= 'window' then
    isMarked = false
    mend(key, ttl)
    local isOpen = redis.call('ZREM', key .. ':held', call .. '|' .. whole(taken)) == 1
    if isOpen then reserve(key, -taken)
    else isOpen = redis.call('ZREM', key .. ':lapsed', call) == 1 end
    if isOpen then isFirst = true end
    -- Others may have brought it in.
    if not isOpen and sure then isOpen = redis.call('HEXISTS', key .. ':brought', call) == 0 end
    if used > 0 and isOpen then
      reply[i] = redis.call('HINCRBY', key, 'spent', whole(used))
      if noted then
        redis.call('HSET', key .. ':brought', call, whole(used))
        redis.call('PEXPIRE', key .. ':brought', ttl)
      end
    end
    redis.call('PEXPIRE', key, ttl)
  end
end
if isMarked then isFirst = redis.call('SET', KEYS[#KEYS], '1', 'NX', 'PX', ARGV[3]) ~= false end
if not isFirst then return reply end
for i = 1, #KEYS - 1 do
  local key, at = KEYS[i], 4 + (i - 1) * 5
  if ARGV[at + 1] == 'window' then
    local taken, used = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local takenIn = math.floor(tonumber(ARGV[at + 4]) / SLICE_MS)
    if used < taken then
      local there, of = unpack(redis.call('HMGET', key, whole(takenIn), 'at'))
      local back = math.min(taken - used, tonumber(there or '0'))
      if back > 0 then change(key, takenIn, -back, of) end
    elseif used > taken then
      change(key, slice, used - taken)
      redis.call('PEXPIRE', key, WINDOW_TTL)
    end
  end
end
return reply
`);

/**
 * Leases of calls that still run go on, and begin again where they ran out or were lost.
 * ARGV: now, unused, lease in ms; for each call: the call, of how many limits; for each of these: how it counts, taken, time to live.
 */
export const RENEW = scriptOf(`
local untilWhen = whole(now + tonumber(ARGV[3]))
redis.call('PEXPIRE', '${STATE_KEY}', ${STATE_TTL_MS})
local at, next = 4, 1
while next <= #KEYS do
  local taker, limits = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, limits do
    local key, counts, amount, ttl = KEYS[next], ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
    if counts == 'slots' then
      redis.call('ZADD', key, untilWhen, taker)
      redis.call('PEXPIRE', key, ttl)
    else
      hold(key, taker, amount, untilWhen, ttl)
    end
    at, next = at + 3, next + 1
  end
end
return 1
`);

/**
 * Brings in what was counted elsewhere; once: of a rate the last key is the mark that it was, of a budget its part says how much was.
 * ARGV: now, unused, how long the mark stays in ms; for each counter: how it counts, amount (of a budget all of the part), when it was
 * counted, time to live, what was known to be spent, for a budget of which less is there (it was not counted for a while, or its data
 * were lost), the part, and 1 where that was known of data that are lost: what was spent since is beside it.
 * Gives for each counter what is spent, or -1.
 */
export const BRING_IN = scriptOf(`
local isFirst = redis.call('SET', KEYS[#KEYS], '1', 'NX', 'PX', ARGV[3]) ~= false
local reply = {}
for i = 1, #KEYS - 1 do
  reply[i] = -1
  local key, at = KEYS[i], 3 + (i - 1) * 7
  local counts, amount, when, ttl, known, part =
    ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  if counts == 'window' then
    local into = math.floor(when / SLICE_MS)
    if isFirst and into > slice - SLICES then
      change(key, into, tonumber(amount))
      redis.call('PEXPIRE', key, WINDOW_TTL)
    end
  else
    local parts = key .. ':brought'
    local there
    if ARGV[at + 7] == '1' then there = redis.call('HGET', parts, 'before')
    else there = redis.call('HGET', key, 'spent') end
    local unknown = tonumber(known) - tonumber(there or '0')
    if unknown > 0 then
      redis.call('HINCRBY', key, 'spent', whole(unknown))
      redis.call('HINCRBY', parts, 'before', whole(unknown))
      redis.call('PEXPIRE', parts, ttl)
    end
    if part ~= '' then
      local more = tonumber(amount) - tonumber(redis.call('HGET', parts, part) or '0')
      if more > 0 then
        redis.call('HSET', parts, part, amount)
        redis.call('HINCRBY', key, 'spent', whole(more))
      end
      redis.call('PEXPIRE', parts, ttl)
    end
    redis.call('PEXPIRE', key, ttl)
    reply[i] = tonumber(redis.call('HGET', key, 'spent') or '0')
  end
end
return reply
`);

/**
 * Settles calls of another instance in one limit: their places are free. Of a budget those of them that it settled are not there any more. Where it noted them before it
 * sent them, or began them alone and never ended them, they are in `brought` then, and those that are nowhere the Redis lost or never had.
 * ARGV: now, 1 where that is so, time to live, how it counts; for each call: the call, used.
 * Gives what is spent, or -1.
 */
export const RECOVER = scriptOf(`
local key = KEYS[1]
if ARGV[4] == 'slots' then
  for at = 5, #ARGV, 2 do redis.call('ZREM', key, ARGV[at]) end
  return { -1 }
end
mend(key, ARGV[3])
local held = {}
for _, member in ipairs(redis.call('ZRANGE', key .. ':held', 0, -1)) do
  held[string.match(member, '^(.*)|%d+$')] = member
end
for at = 5, #ARGV, 2 do
  local taker, used = ARGV[at], tonumber(ARGV[at + 1])
  local member = held[taker]
  if member then
    redis.call('ZREM', key .. ':held', member)
    reserve(key, -tonumber(string.match(member, '|(%d+)$')))
  end
  local isOpen = member or redis.call('ZREM', key .. ':lapsed', taker) == 1
  if not isOpen and ARGV[2] == '1' then isOpen = redis.call('HEXISTS', key .. ':brought', taker) == 0 end
  if isOpen and used > 0 then
    redis.call('HINCRBY', key, 'spent', whole(used))
    redis.call('HSET', key .. ':brought', taker, whole(used))
    redis.call('PEXPIRE', key .. ':brought', ARGV[3])
  end
end
redis.call('PEXPIRE', key, ARGV[3])
return { tonumber(redis.call('HGET', key, 'spent') or '0') }
`);
