import { invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Prompt } from './compile-prompt.ts';
import { parameterName } from './parameters.ts';

/** What the URL of a prompt's call says. */
export interface PromptQuery {
  /** `undefined`: the headers say it. */
  stream: boolean | undefined;
  format: string | undefined;
  /** What the caller sets, as text. */
  overrides: JsonObject;
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };

/**
 * @param query by name, a list where one stands more than once; `key`, a credential, is passed over
 * @throws GatewayError `invalid_request` naming the first parameter that is wrong
 */
export function readPromptQuery(prompt: Pick<Prompt, 'overrides'>, query: unknown): PromptQuery {
  const said: PromptQuery = { stream: undefined, format: undefined, overrides: {} };
  for (const [name, value] of Object.entries(query ?? {})) {
    if (name === 'key') continue;
    if (typeof value !== 'string') throw invalidRequest(`'${name}' stands twice in the query.`, name);
    if (name === 'stream') said.stream = readFlag(name, value);
    else if (name === 'format') said.format = value;
    else if (name === 'model' || parameterName(name) !== undefined) said.overrides[name] = value;
    else throw unknownParameter(prompt, name);
  }
  return said;
}

function readFlag(name: string, value: string): boolean {
  const flag = Object.hasOwn(FLAGS, value) ? FLAGS[value] : undefined;
  if (flag === undefined) throw invalidRequest(`'${name}' is true or 1, false or 0.`, name);
  return flag;
}

function unknownParameter({ overrides }: Pick<Prompt, 'overrides'>, name: string): Error {
  const known = ['stream', 'format', ...overrides].join(', ');
  const message = `'${name}' is no parameter here. The query takes ${known}.`;
  return invalidRequest(message, name, 'unknown_parameter');
}
