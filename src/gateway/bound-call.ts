import { type OutputBound, readAskedOutput, readOutputBound } from '../dialects/output-bound.ts';
import type { Target } from '../routing/target.ts';
import { boundTokens } from '../tokens/bound-tokens.ts';
import type { Call } from './call.ts';
import { MAX_ESTIMATED_INPUT } from './estimate-usage.ts';

/** What an answer is taken to come to at most where the request names no limit. Documented: callers meet it. */
export const UNSAID_OUTPUT_TOKENS = 4_096;

/** The most that one of these generates where a call names no limit; `undefined` where none of them says anything. */
export function mostUnsaidOutput(targets: readonly Pick<Target, 'defaults'>[]): number | undefined {
  const bounds = targets.map(({ defaults }) => defaults?.parameters.maxOutputTokens);
  if (bounds.every((bound) => bound === undefined)) return undefined;
  return bounds.reduce<number>((most, bound = UNSAID_OUTPUT_TOKENS) => Math.max(most, bound), 0);
}

/** The most that a call may generate. Read once a call. */
export function boundOutput(call: Call): OutputBound {
  const { body, spans, door } = call;
  call.outputBound ??=
    door.operation === 'generate'
      ? ofEachPrompt(call, readOutputBound(body, spans, door.dialect.name, unsaidOutput(call)))
      : 0;
  return call.outputBound;
}

function ofEachPrompt({ body, spans, door }: Call, bound: OutputBound): OutputBound {
  return typeof bound === 'number' ? bound * (door.passThrough.countPrompts?.(body, spans) ?? 1) : bound;
}

/** Of the route that was chosen for it: a rollout's, or a successor's, may say another. */
function unsaidOutput({ unsaidOutput }: Call): number {
  return unsaidOutput ?? UNSAID_OUTPUT_TOKENS;
}

/** The same, also where the request leaves it open. */
export function takenOutput(call: Call): number {
  const bound = boundOutput(call);
  return typeof bound === 'number' ? bound : UNSAID_OUTPUT_TOKENS;
}

/** The most that a call may generate at a target: what it names, or else what it is told there. */
export function takenOutputAt({ body, spans, door }: Call, { defaults }: Target): number {
  if (door.operation !== 'generate') return 0;
  const unsaid = defaults?.parameters.maxOutputTokens ?? UNSAID_OUTPUT_TOKENS;
  const bound = readOutputBound(body, spans, door.dialect.name, unsaid);
  return typeof bound === 'number' ? bound : unsaid;
}

/** The most that a call names for each of its answers; 0 where it names nothing. */
export function askedOutput({ body, spans, door }: Call): number {
  return readAskedOutput(body, spans, door.dialect.name);
}

/** How many attempts of a call may run beside each other, and each use all that the call may use. */
export function attemptsAtOnce({ hedgeAfterMs }: Call): 1 | 2 {
  return hedgeAfterMs === undefined ? 1 : 2;
}

/** Input tokens that were set aside for an attempt of a call; of one that no limit in tokens or money is on, those that would have been. */
export function takenInput(call: Call): number {
  const reserved = call.reservation?.demand.tokens ?? 0;
  if (reserved > 0) return reserved / attemptsAtOnce(call) - takenOutput(call);
  return Math.min(boundTokens(call.body.length), MAX_ESTIMATED_INPUT);
}
