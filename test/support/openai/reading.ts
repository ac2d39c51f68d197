import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelRequest, type ModelTool, type Turn } from '../fake-model.ts';
import { describeData, readDataUrl } from '../media.ts';
import { objectsOf, stringsOf } from '../values.ts';
import { familyOf } from './models.ts';
import type { OpenAiRuleOptions } from './rules.ts';

/** The neutral view of a chat completion request that was found good. */
export function readChatRequest(body: JsonObject, { compatible }: OpenAiRuleOptions): ModelRequest {
  const messages = objectsOf(body['messages']);
  const reasons = familyOf(String(body['model'])).reasoning && body['reasoning_effort'] !== 'none';
  const limit = body['max_completion_tokens'] ?? body['max_tokens'];
  const request: ModelRequest = {
    system: messages.filter(isSystem).flatMap((message) => readContent(message['content']).texts),
    turns: messages.filter((message) => !isSystem(message)).map(readTurn),
    tools: readTools(body),
    toolChoice: readToolChoice(body['tool_choice'] ?? asToolChoice(body['function_call'])),
    parallelCalls: body['parallel_tool_calls'] !== false && !('functions' in body),
    reasoning: reasons || compatible ? 'on' : 'off',
    stop: typeof body['stop'] === 'string' ? [body['stop']] : stringsOf(body['stop']),
    choices: typeof body['n'] === 'number' ? body['n'] : 1,
  };
  if (typeof limit === 'number') request.maxOutputTokens = limit;
  const format = readFormat(body['response_format']);
  if (format) request.format = format;
  return request;
}

function isSystem({ role }: JsonObject): boolean {
  return role === 'system' || role === 'developer';
}

function readTurn(message: JsonObject): Turn {
  const { texts, media } = readContent(message['content']);
  if (message['role'] === 'tool' || message['role'] === 'function') {
    return { ...emptyTurn('user'), results: [[...texts, ...media].join(' ')] };
  }
  const role = message['role'] === 'assistant' ? 'assistant' : 'user';
  const { function_call: called } = message;
  const calls = [...objectsOf(message['tool_calls']), ...(isObject(called) ? [{ function: called }] : [])];
  return { ...emptyTurn(role), texts, media, calls: calls.map(readCall) };
}

function readCall(call: JsonObject): Turn['calls'][number] {
  const { function: called, custom } = call;
  if (isObject(called)) return { name: String(called['name']), json: String(called['arguments']) };
  return isObject(custom)
    ? { name: String(custom['name']), json: String(custom['input']) }
    : { name: '', json: '' };
}

function readContent(content: JsonValue | undefined): { texts: string[]; media: string[] } {
  if (typeof content === 'string') return { texts: [content], media: [] };
  const parts = objectsOf(content);
  return {
    texts: parts.map((part) => part['text']).filter((part) => typeof part === 'string'),
    media: parts.map(describePart).filter((part) => part !== undefined),
  };
}

function describePart(part: JsonObject): string | undefined {
  const { image_url: image, input_audio: audio, file } = part;
  if (isObject(image)) return describeUrl('image', String(image['url']));
  if (isObject(audio)) return describeData('audio', `audio/${audio['format']}`, String(audio['data']));
  if (!isObject(file)) return undefined;
  return typeof file['file_data'] === 'string'
    ? describeUrl('file', file['file_data'])
    : `file ${file['file_id']}`;
}

function describeUrl(kind: string, url: string): string {
  const data = readDataUrl(url);
  return data ? describeData(kind, data.mediaType, data.base64) : `${kind} ${url}`;
}

function readTools(body: JsonObject): ModelTool[] {
  const functions = objectsOf(body['functions']).map((described) => ({ function: described }));
  return [...objectsOf(body['tools']), ...functions].flatMap((tool: JsonObject) => {
    const described = tool['function'] ?? tool['custom'];
    if (!isObject(described)) return [];
    const { name, parameters } = described;
    return [isObject(parameters) ? { name: String(name), schema: parameters } : { name: String(name) }];
  });
}

function asToolChoice(choice: JsonValue | undefined): JsonValue | undefined {
  return isObject(choice) ? { type: 'function', function: choice } : choice;
}

function readToolChoice(choice: JsonValue | undefined): ModelRequest['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice;
  if (!isObject(choice)) return 'auto';
  const { allowed_tools: allowed } = choice;
  if (isObject(allowed)) return readAllowedTools(allowed);
  const named = choice['function'] ?? choice['custom'];
  return isObject(named) ? { name: String(named['name']) } : 'auto';
}

/** A model that must pick from some tools takes the first of them. */
function readAllowedTools(allowed: JsonObject): ModelRequest['toolChoice'] {
  if (allowed['mode'] !== 'required') return 'auto';
  const first = objectsOf(allowed['tools'])[0]?.['function'];
  return isObject(first) ? { name: String(first['name']) } : 'required';
}

function readFormat(format: JsonValue | undefined): ModelRequest['format'] {
  if (!isObject(format)) return undefined;
  if (format['type'] === 'json_object') return { type: 'json_object' };
  const { json_schema: described } = format;
  return isObject(described) && isObject(described['schema'])
    ? { type: 'json_schema', schema: described['schema'] }
    : undefined;
}
