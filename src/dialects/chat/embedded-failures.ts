import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { embeddedError } from './errors.ts';

/** OpenRouter reports what failed while it was generated within the choice. */
export function choiceFailure(choices: readonly JsonValue[]): GatewayError | undefined {
  const failed = choices.find((choice) => isObject(choice) && isObject(choice['error']));
  return failed === undefined ? undefined : embeddedError(failed);
}

/** The list of choices as it stands there; empty where there is none. */
export function choicesOf(value: JsonObject): JsonValue[] {
  const { choices } = value;
  return Array.isArray(choices) ? choices : [];
}
