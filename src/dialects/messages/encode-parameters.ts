import type { Parameters } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { changedTo } from '../caller-words.ts';
import { parameterName, planParameters } from '../parameters.ts';
import type { EncodeContext } from './encode-context.ts';

/** With thinking on, `top_p` may only be near 1 (docs "Thinking", "Feature compatibility"). */
export const LEAST_TOP_P_WITH_THINKING = 0.95;

/** What other dialects' service tiers mean here. Source: docs "Service tiers". */
const SERVICE_TIERS = new Map<JsonValue, string>([
  ['auto', 'auto'],
  ['priority', 'auto'],
  ['default', 'standard_only'],
  ['standard_only', 'standard_only'],
]);

/** `max_tokens` as the call will have it: the caller's, no more than the model takes, or all that it takes. */
export function planMaxTokens({ conversation, traits, isNative, dropped }: EncodeContext): number {
  const asked = conversation.parameters.maxOutputTokens;
  if (asked === undefined) return traits.maxOutputTokens;
  // Callers of this dialect may have a beta that raises the limit.
  if (isNative || !traits.limitIsKnown || asked <= traits.maxOutputTokens) return asked;
  dropped.add(changedTo(parameterName(conversation, 'maxOutputTokens'), traits.maxOutputTokens));
  return traits.maxOutputTokens;
}

/** The sampling parameters of the body, all but `max_tokens`. */
export function encodeParameters(context: EncodeContext, thinks: boolean): JsonObject {
  const { conversation, dropped } = context;
  const plan = planParameters(conversation, 'messages');
  for (const name of plan.dropped) dropped.add(name);
  const body: JsonObject = {};
  for (const { key, path, value } of plan.written) {
    if (key === 'maxOutputTokens') continue;
    const fitted = fitParameter(context, key, value as JsonValue, thinks);
    for (const name of lossNames(parameterName(conversation, key), value as JsonValue, fitted)) {
      // A tier in other words is still the tier.
      if (key !== 'serviceTier' || fitted === undefined) dropped.add(name);
    }
    if (fitted !== undefined) setPath(body, path.split('.'), fitted);
  }
  return body;
}

/** What is said of a value that was left out, clamped or shortened; nothing where it was sent as it came. */
export function lossNames(name: string, value: JsonValue, fitted: JsonValue | undefined): string[] {
  if (fitted === value) return [];
  if (Array.isArray(value) && Array.isArray(fitted)) {
    const kept = new Set(fitted);
    return value.flatMap((item, index) => (kept.has(item) ? [] : [`${name}[${index}]`]));
  }
  const isPlain = typeof fitted === 'number' || typeof fitted === 'string' || typeof fitted === 'boolean';
  return [isPlain ? changedTo(name, fitted) : name];
}

/** The value that the model takes: the same, a clamped one, or none. */
export function fitParameter(
  context: EncodeContext,
  key: keyof Parameters,
  value: JsonValue,
  thinks: boolean,
): JsonValue | undefined {
  const { conversation, traits, isNative } = context;
  const takesSampling = traits.sampling !== 'none';
  switch (key) {
    case 'temperature': {
      if (!takesSampling) return undefined;
      const temperature = typeof value === 'number' ? Math.min(value, 1) : value;
      return thinks && temperature !== 1 ? undefined : temperature;
    }
    case 'topP': {
      const isSecond = traits.sampling === 'one' && conversation.parameters.temperature !== undefined;
      if (!takesSampling || isSecond) return undefined;
      return thinks && Number(value) < LEAST_TOP_P_WITH_THINKING ? undefined : value;
    }
    case 'topK':
      return takesSampling && !thinks ? value : undefined;
    case 'stop':
      return Array.isArray(value) ? withoutEmptyStops(value) : value;
    case 'serviceTier':
      return isNative ? value : fitServiceTier(value);
    default:
      return value;
  }
}

/** The same list comes back where none is empty. */
function withoutEmptyStops(sequences: JsonValue[]): JsonValue | undefined {
  const filled = sequences.filter((sequence) => sequence !== '');
  if (filled.length === sequences.length) return sequences;
  return filled.length > 0 ? filled : undefined;
}

function fitServiceTier(value: JsonValue): JsonValue | undefined {
  return SERVICE_TIERS.get(value);
}

/** Sets a value deep in a body, making the objects on the way. */
export function setPath(body: JsonObject, [step = '', ...rest]: string[], value: JsonValue): void {
  if (rest.length === 0) {
    body[step] = value;
    return;
  }
  const inner = body[step];
  const target: JsonObject = isObject(inner) ? inner : {};
  body[step] = target;
  setPath(target, rest, value);
}
