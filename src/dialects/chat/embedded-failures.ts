import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { embeddedError, eventFailure, saysError } from './errors.ts';

/** Mistral's, Z.AI's, and DeepSeek's. */
const FAILED_ENDS: ReadonlySet<JsonValue | undefined> = new Set([
  'error',
  'network_error',
  'insufficient_system_resource',
]);

/**
 * What failed while it was generated is reported within the choice: by OpenRouter with its error, by Mistral with a finish
 * reason alone, as by Z.AI and DeepSeek.
 *
 * Source: OpenRouter, "Errors and debugging"; Mistral API reference (`ChatCompletionChoice.finish_reason`); Z.AI and DeepSeek, "Create Chat Completion"
 * (`finish_reason`).
 */
export function choiceFailure(choices: readonly JsonValue[]): GatewayError | undefined {
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    if (isObject(choice['error'])) return embeddedError(choice);
    if (FAILED_ENDS.has(choice['finish_reason']))
      return new GatewayError('upstream_unavailable', 'The provider failed before its answer was complete.');
  }
  return undefined;
}

/** What an event of a stream holds: a chunk, or what went wrong and whether the client can see that for itself. */
export type JudgedChunk =
  | { failure?: never; chunk: JsonObject; choices: JsonValue[] }
  | { failure: GatewayError; isTold: boolean };

/**
 * Judges an event of a stream of chat or text completions.
 *
 * @param value its data, parsed; `undefined` where it is no JSON
 * @param name of the event
 */
export function judgeChunk(
  value: JsonValue | undefined,
  data: string,
  name: string | undefined,
): JudgedChunk {
  if (!isObject(value) || saysError(value) || name === 'error') {
    // Clients look into the data, not at the event's name.
    return { failure: eventFailure(value, data, name), isTold: isObject(value) && Boolean(value['error']) };
  }
  const choices = choicesOf(value);
  const failure = choiceFailure(choices);
  return failure ? { failure, isTold: isToldInChoice(choices) } : { chunk: value, choices };
}

/** Whether the client can see for itself that a choice failed: no SDK reads finish reasons for that. */
function isToldInChoice(choices: readonly JsonValue[]): boolean {
  return choices.some((choice) => isObject(choice) && isObject(choice['error']));
}

/** The list of choices as it stands there; empty where there is none. */
export function choicesOf(value: JsonObject): JsonValue[] {
  const { choices } = value;
  return Array.isArray(choices) ? choices : [];
}
