import type { Call } from './call.ts';

/**
 * How official SDKs say how long they wait, in seconds. OpenAI's and Anthropic's: `x-stainless-timeout`, whole seconds, cut down (OpenAI's
 * only where the call has a time-out of its own); those for Python: `x-stainless-read-timeout`, of silence, which is what a client hears of a
 * call that waits. Google's: `x-server-timeout`.
 */
const CLIENTS_WORDS = ['x-stainless-timeout', 'x-stainless-read-timeout', 'x-server-timeout'];

/** Less than a second, cut down, is none. */
const UNDER_A_SECOND_MS = 1_000;

/**
 * When an answer comes too late for a call, in monotonic milliseconds: its client will have left, or all that its model's `timeouts.total` gives
 * it will have passed. `Infinity` where nobody says.
 */
export function callDeadlineMs(call: Call): number {
  return call.startedMs + Math.min(clientsPatienceMs(call), totalMs(call));
}

function clientsPatienceMs({ response: { req } }: Call): number {
  let patienceMs = Number.POSITIVE_INFINITY;
  for (const name of CLIENTS_WORDS) {
    const said = req.headers[name];
    if (typeof said !== 'string' || !/^\d{1,9}(?:\.\d+)?$/.test(said)) continue;
    patienceMs = Math.min(patienceMs, Number(said) * 1_000 || UNDER_A_SECOND_MS);
  }
  return patienceMs;
}

/** The longest that a target of its model may take. */
function totalMs({ model, snapshot }: Call): number {
  const route = model === undefined ? undefined : snapshot.routes.resolve(model);
  if (!route) return Number.POSITIVE_INFINITY;
  return route.targets.reduce((longest, { timeouts }) => Math.max(longest, timeouts.totalMs), 0);
}
