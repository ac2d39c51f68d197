import { SLICE_MS, SLICES } from './window.ts';

/*
 * What all scripts of `redis-scripts.ts` have: how they are told of calls, and what they do with counters.
 */

/** A call that nobody has settled for so long is forgotten: its instance will not start again. */
const LAPSED_MS = 35 * 24 * 3_600_000;

export const STATE_KEY = 'fairlead:state';
/** Longer than any counter stays. */
export const STATE_TTL_MS = 800 * 24 * 3_600_000;
/** What a script gives where the data are not those that the instance knows. */
export const LOST = 'LOST';

/** What a script changes for one call: a key for each counter, then what it is told. */
export interface ScriptCall {
  keys: string[];
  args: (string | number)[];
}

/**
 * What a script is given for calls: how many keys, the keys of all, the mark, then what each call says as one argument, which costs the
 * client half of what so many do. None of it holds a line's end.
 */
export function packCalls(calls: readonly ScriptCall[], mark: string): (string | number)[] {
  const keys: string[] = [];
  const packed: string[] = [];
  for (const call of calls) {
    for (const key of call.keys) keys.push(key);
    packed.push(`${call.keys.length}\n${call.args.join('\n')}\n`);
  }
  return [keys.length, ...keys, mark, ...packed];
}

const PRELUDE = `
if redis.call('GET', '${STATE_KEY}') ~= ARGV[1] then return '${LOST}' end
local SLICE_MS, SLICES = ${SLICE_MS}, ${SLICES}
-- Set when a slice begins: what is written to its end is to stay for as long.
local WINDOW_TTL = (SLICES + 1) * SLICE_MS
-- Of the call that is told at the moment.
local now, call, slice
local function whole(number) return string.format('%.0f', number) end
-- What counts of a window, and what is in this slice. Nothing where it does not count any more.
local function readWindow(key)
  local at, sum, now = unpack(redis.call('HMGET', key, 'at', 'sum', whole(slice)))
  if tonumber(at or '') == slice then return tonumber(sum), tonumber(now or '0') end
  local entries, total, isThere = redis.call('HGETALL', key), 0, false
  for j = 1, #entries, 2 do
    local when = tonumber(entries[j])
    if when and when > slice - SLICES then
      total, isThere = total + tonumber(entries[j + 1]), true
    elseif when then
      redis.call('HDEL', key, entries[j])
    end
  end
  if not isThere then return 0, nil end
  redis.call('HSET', key, 'at', whole(slice), 'sum', whole(total))
  redis.call('PEXPIRE', key, WINDOW_TTL)
  return total, tonumber(now or '0')
end
-- \`at\`: of the window, where that is known.
local function change(key, into, amount, at)
  at = tonumber(at or redis.call('HGET', key, 'at') or '')
  redis.call('HINCRBY', key, whole(into), whole(amount))
  if at and into > at - SLICES then redis.call('HINCRBY', key, 'sum', whole(amount)) end
end
local function reserve(key, amount)
  if amount ~= 0 then redis.call('HINCRBY', key, 'reserved', whole(amount)) end
end
-- What is reserved is the sum of what is held: where that is lost it is added up anew.
local function mend(key, ttl)
  if redis.call('HEXISTS', key, 'reserved') == 1 then return end
  local sum = 0
  for _, member in ipairs(redis.call('ZRANGE', key .. ':held', 0, -1)) do
    sum = sum + tonumber(string.match(member, '|(%d+)$'))
  end
  if sum == 0 then return end
  reserve(key, sum)
  redis.call('PEXPIRE', key, ttl)
end
-- Any number of times for a call: it is held once.
local function hold(key, taker, amount, untilWhen, ttl)
  local held = key .. ':held'
  if redis.call('EXISTS', held) == 1 then mend(key, ttl) else redis.call('HSET', key, 'reserved', '0') end
  if redis.call('ZADD', held, untilWhen, taker .. '|' .. whole(amount)) == 1 then
    redis.call('ZREM', key .. ':lapsed', taker)
    reserve(key, amount)
  end
  redis.call('PEXPIRE', key, ttl)
  redis.call('PEXPIRE', held, ttl)
end
local function release(key, ttl)
  local held, lapsed = key .. ':held', key .. ':lapsed'
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', whole(now))) do
    redis.call('ZREM', held, member)
    local taker, amount = string.match(member, '^(.*)|(%d+)$')
    reserve(key, -tonumber(amount))
    redis.call('ZADD', lapsed, whole(now), taker)
    redis.call('ZREMRANGEBYSCORE', lapsed, '-inf', whole(now - ${LAPSED_MS}))
    redis.call('PEXPIRE', lapsed, ttl)
  end
end
`;

const EPILOGUE = `
local replies, nextKey = {}, 1
for i = 2, #ARGV do
  local keys, args, count = {}, {}, nil
  for word in string.gmatch(ARGV[i], '([^\\n]*)\\n') do
    if count then args[#args + 1] = word else count = tonumber(word) end
  end
  for j = 1, count do keys[j] = KEYS[nextKey + j - 1] end
  nextKey = nextKey + count
  now, call = tonumber(args[1]), args[2]
  slice = math.floor(now / SLICE_MS)
  replies[i - 1] = tell(keys, args)
end
return replies
`;

/** `body` is told one call: its `KEYS` and `ARGV`. */
export function scriptOf(body: string): string {
  return `${PRELUDE}local function tell(KEYS, ARGV)${body}end${EPILOGUE}`;
}
