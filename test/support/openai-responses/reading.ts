import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelRequest, type Turn } from '../fake-model.ts';
import { describeData, readDataUrl } from '../media.ts';
import { familyOf } from '../openai/models.ts';
import { objectsOf } from '../values.ts';

/** The neutral view of a request that was found good; `items`: all of the conversation, earlier turns included. */
export function readRequest(body: JsonObject, items: readonly JsonObject[]): ModelRequest {
  const { reasoning, instructions, max_output_tokens: limit } = body;
  const effort = isObject(reasoning) ? reasoning['effort'] : undefined;
  const reasons = familyOf(String(body['model'])).reasoning === true && effort !== 'none';
  const request: ModelRequest = {
    system: [
      ...(typeof instructions === 'string' ? [instructions] : []),
      ...items.filter(isSystem).flatMap(({ content }) => readContent(content).texts),
    ],
    turns: items.filter((item) => !isSystem(item)).map(readTurn),
    tools: objectsOf(body['tools']).map(({ name, parameters }) =>
      isObject(parameters) ? { name: String(name), schema: parameters } : { name: String(name) },
    ),
    toolChoice: readToolChoice(body['tool_choice']),
    parallelCalls: body['parallel_tool_calls'] !== false,
    reasoning: reasons ? 'on' : 'off',
    stop: [],
    choices: 1,
  };
  if (typeof limit === 'number') request.maxOutputTokens = limit;
  const format = isObject(body['text']) ? body['text']['format'] : undefined;
  if (isObject(format) && format['type'] === 'json_object') request.format = { type: 'json_object' };
  if (isObject(format) && isObject(format['schema'])) {
    request.format = { type: 'json_schema', schema: format['schema'] };
  }
  return request;
}

/** `input` as items, whichever form it has. */
export function readItems(input: JsonValue | undefined): JsonObject[] {
  return typeof input === 'string' ? [{ role: 'user', content: input }] : objectsOf(input);
}

function isSystem({ role }: JsonObject): boolean {
  return role === 'system' || role === 'developer';
}

function readTurn(item: JsonObject): Turn {
  switch (item['type']) {
    case 'function_call':
    case 'custom_tool_call': {
      const json = String(item['arguments'] ?? item['input']);
      return { ...emptyTurn('assistant'), calls: [{ name: String(item['name']), json }] };
    }
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const { texts, media } = readContent(item['output']);
      return { ...emptyTurn('user'), results: [[...texts, ...media].join(' ')] };
    }
    case 'reasoning':
      return emptyTurn('assistant');
    default: {
      const role = item['role'] === 'assistant' ? 'assistant' : 'user';
      return { ...emptyTurn(role), ...readContent(item['content']) };
    }
  }
}

function readContent(content: JsonValue | undefined): { texts: string[]; media: string[] } {
  if (typeof content === 'string') return { texts: [content], media: [] };
  const parts = objectsOf(content);
  return {
    texts: parts.map(({ text }) => text).filter((text) => typeof text === 'string'),
    media: parts.flatMap(({ image_url: image, file_data: file }) => [
      ...(typeof image === 'string' ? [describeUrl('image', image)] : []),
      ...(typeof file === 'string' ? [describeUrl('file', file)] : []),
    ]),
  };
}

function describeUrl(kind: string, url: string): string {
  const data = readDataUrl(url);
  return data ? describeData(kind, data.mediaType, data.base64) : `${kind} ${url}`;
}

function readToolChoice(choice: JsonValue | undefined): ModelRequest['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice;
  return isObject(choice) ? { name: String(choice['name']) } : 'auto';
}
