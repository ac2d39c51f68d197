import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';

/*
 * One spelling for requests that mean the same to the API. Written apart from the codec, so that it does not share
 * its mistakes: protobuf's JSON takes snake_case names, single elements for lists and either base64 alphabet, and
 * the API takes contents of one role in a row, which it is documented to want merged.
 */

/** Fields whose values are the caller's own JSON: their keys are not field names. */
const STRUCTS = new Set([
  'args',
  'response',
  'parameters',
  'parametersJsonSchema',
  'responseJsonSchema',
  'responseSchema',
  'toolCall',
  'toolResponse',
  'executableCode',
  'codeExecutionResult',
]);

const LISTS = new Set(['contents', 'tools', 'parts', 'functionDeclarations', 'stopSequences']);

export function canonicalRequest(body: JsonObject): JsonObject {
  const request = spell(body) as JsonObject;
  const contents: JsonObject[] = [];
  for (const content of request['contents'] as JsonObject[]) {
    const last = contents.at(-1);
    const role = content['role'] ?? 'user';
    if (last?.['role'] === role) {
      last['parts'] = [...(last['parts'] as JsonValue[]), ...(content['parts'] as JsonValue[])];
    } else contents.push({ ...content, role });
  }
  return { ...request, contents };
}

function spell(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((one) => spell(one) as JsonValue);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, field]) => spellField(key, field));
  return Object.fromEntries(entries.filter(([name, field]) => !saysNothing(name, field)));
}

function spellField(key: string, field: JsonValue | undefined): [string, JsonValue | undefined] {
  const name = key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  if (STRUCTS.has(name)) return [name, field];
  if (name === 'data' && typeof field === 'string')
    return [name, Buffer.from(field, 'base64').toString('base64')];
  const spelled = spell(field);
  return [name, LISTS.has(name) && !Array.isArray(spelled) ? [spelled ?? null] : spelled];
}

/** Null is as good as absent, and so is an empty config. */
function saysNothing(name: string, field: JsonValue | undefined): boolean {
  if (name === 'generationConfig' && isObject(field)) return Object.keys(field).length === 0;
  return field === null || field === undefined;
}
