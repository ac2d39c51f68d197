import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelRequest, type ModelTool, type Turn } from '../fake-model.ts';
import { describeData } from '../media.ts';
import { objectsOf, stringsOf } from '../values.ts';
import { placeMessages } from './messages.ts';

/** The neutral view of a messages request that was found good. */
export function readMessagesRequest(body: JsonObject): ModelRequest {
  const messages = placeMessages(body);
  const request: ModelRequest = {
    system: [
      ...readSystem(body['system']),
      ...messages.filter(({ role }) => role === 'system').flatMap(({ blocks }) => textsOf(blocks)),
    ],
    turns: messages
      .filter(({ role }) => role !== 'system')
      .flatMap(({ role, blocks }) => (role === 'assistant' ? [readAssistant(blocks)] : readUser(blocks))),
    tools: readTools(body),
    toolChoice: readToolChoice(body['tool_choice']),
    parallelCalls: !(
      isObject(body['tool_choice']) && body['tool_choice']['disable_parallel_tool_use'] === true
    ),
    reasoning: readReasoning(body['thinking']),
    stop: stringsOf(body['stop_sequences']),
    choices: 1,
  };
  if (typeof body['max_tokens'] === 'number') request.maxOutputTokens = body['max_tokens'];
  const format = readFormat(body['output_config']);
  if (format) request.format = format;
  return request;
}

function readSystem(system: JsonValue | undefined): string[] {
  return typeof system === 'string' ? [system] : textsOf(objectsOf(system));
}

function readAssistant(blocks: readonly JsonObject[]): Turn {
  const calls = blocks.filter((block) => block['type'] === 'tool_use');
  return {
    ...emptyTurn('assistant'),
    texts: textsOf(blocks),
    calls: calls.map((call) => ({ name: String(call['name']), json: JSON.stringify(call['input']) })),
  };
}

/** Tool results first, then what the user says beside them: a turn each. */
function readUser(blocks: readonly JsonObject[]): Turn[] {
  const results = blocks.filter((block) => block['type'] === 'tool_result');
  const others = blocks.filter((block) => block['type'] !== 'tool_result');
  const turns: Turn[] = [];
  if (results.length > 0) turns.push({ ...emptyTurn('user'), results: results.map(readResult) });
  if (others.length > 0) turns.push({ ...emptyTurn('user'), texts: textsOf(others), media: mediaOf(others) });
  return turns;
}

function readResult({ content }: JsonObject): string {
  if (typeof content === 'string') return content;
  const parts = objectsOf(content);
  return [...textsOf(parts), ...mediaOf(parts)].join(' ');
}

function textsOf(blocks: readonly JsonObject[]): string[] {
  return blocks.filter((block) => block['type'] === 'text').map((block) => String(block['text']));
}

function mediaOf(blocks: readonly JsonObject[]): string[] {
  return blocks.flatMap(({ type, source }) => {
    if (!isObject(source)) return [];
    const kind = type === 'image' ? 'image' : 'file';
    const { data, media_type: mediaType } = source;
    if (source['type'] === 'base64') return [describeData(kind, String(mediaType), String(data))];
    if (source['type'] === 'text') return [`${kind} ${mediaType} ${Buffer.byteLength(String(data))} bytes`];
    return [`${kind} ${source['url'] ?? source['file_id'] ?? source['type']}`];
  });
}

function readTools(body: JsonObject): ModelTool[] {
  return objectsOf(body['tools']).flatMap(({ name, input_schema: schema }) =>
    isObject(schema) ? [{ name: String(name), schema }] : [],
  );
}

function readToolChoice(choice: JsonValue | undefined): ModelRequest['toolChoice'] {
  if (!isObject(choice)) return 'auto';
  if (choice['type'] === 'any') return 'required';
  if (choice['type'] === 'tool') return { name: String(choice['name']) };
  return choice['type'] === 'none' ? 'none' : 'auto';
}

/** A budget makes the model think every time; adaptive thinking leaves it to the model, that is to the script. */
function readReasoning(thinking: JsonValue | undefined): ModelRequest['reasoning'] {
  if (!isObject(thinking)) return 'off';
  if (thinking['type'] === 'enabled') return 'always';
  return thinking['type'] === 'adaptive' ? 'on' : 'off';
}

function readFormat(config: JsonValue | undefined): ModelRequest['format'] {
  if (!isObject(config) || !isObject(config['format'])) return undefined;
  const { schema } = config['format'];
  return isObject(schema) ? { type: 'json_schema', schema } : undefined;
}
