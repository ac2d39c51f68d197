import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelRequest, type ModelTool, type Turn } from '../fake-model.ts';
import { describeData } from '../media.ts';
import { objectsOf, stringsOf } from '../values.ts';
import { bedrockFamily } from './models.ts';

/** The neutral view of a Converse request that was found good. */
export function readConverseRequest(body: JsonObject, model: string): ModelRequest {
  const config = isObject(body['inferenceConfig']) ? body['inferenceConfig'] : {};
  const request: ModelRequest = {
    system: textsOf(objectsOf(body['system'])),
    turns: objectsOf(body['messages']).flatMap(({ role, content }) =>
      role === 'assistant' ? [readAssistant(objectsOf(content))] : readUser(objectsOf(content)),
    ),
    tools: [...readTools(body['toolConfig']), ...readAnthropicTools(body['additionalModelRequestFields'])],
    toolChoice: readToolChoice(body['toolConfig'], body['additionalModelRequestFields']),
    parallelCalls: true,
    reasoning: readReasoning(body['additionalModelRequestFields'], model),
    stop: stringsOf(config['stopSequences']),
    choices: 1,
  };
  if (typeof config['maxTokens'] === 'number') request.maxOutputTokens = config['maxTokens'];
  const format = readFormat(body['outputConfig']);
  if (format) request.format = format;
  return request;
}

function readAssistant(blocks: readonly JsonObject[]): Turn {
  const calls = blocks.flatMap(({ toolUse }) => (isObject(toolUse) ? [toolUse] : []));
  return {
    ...emptyTurn('assistant'),
    texts: textsOf(blocks),
    calls: calls.map(({ name, input }) => ({ name: String(name), json: JSON.stringify(input) })),
  };
}

/** Tool results first, then what the user says beside them: a turn each. */
function readUser(blocks: readonly JsonObject[]): Turn[] {
  const results = blocks.flatMap(({ toolResult }) => (isObject(toolResult) ? [toolResult] : []));
  const texts = textsOf(blocks);
  const media = mediaOf(blocks);
  const turns: Turn[] = [];
  if (results.length > 0) turns.push({ ...emptyTurn('user'), results: results.map(readResult) });
  if (texts.length + media.length > 0) turns.push({ ...emptyTurn('user'), texts, media });
  return turns;
}

function readResult({ content }: JsonObject): string {
  const blocks = objectsOf(content);
  const json = blocks.flatMap((block) =>
    block['json'] === undefined ? [] : [JSON.stringify(block['json'])],
  );
  return [...textsOf(blocks), ...json, ...mediaOf(blocks)].join(' ');
}

function textsOf(blocks: readonly JsonObject[]): string[] {
  return blocks.flatMap(({ text, citationsContent }) => {
    if (typeof text === 'string') return [text];
    return isObject(citationsContent) ? textsOf(objectsOf(citationsContent['content'])) : [];
  });
}

const MEDIA: readonly [member: string, kind: string][] = [
  ['image', 'image'],
  ['document', 'file'],
  ['video', 'file'],
  ['audio', 'audio'],
];

function mediaOf(blocks: readonly JsonObject[]): string[] {
  return blocks.flatMap((block) =>
    MEDIA.flatMap(([member, kind]) => {
      const medium = block[member];
      if (!isObject(medium) || !isObject(medium['source'])) return [];
      const { bytes, s3Location } = medium['source'];
      const type = `${member === 'document' ? 'document' : member}/${medium['format']}`;
      if (typeof bytes === 'string') return [describeData(kind, type, bytes)];
      return [`${kind} ${isObject(s3Location) ? s3Location['uri'] : type}`];
    }),
  );
}

function readTools(toolConfig: JsonValue | undefined): ModelTool[] {
  const tools = isObject(toolConfig) ? objectsOf(toolConfig['tools']) : [];
  return tools.flatMap(({ toolSpec }) => {
    if (!isObject(toolSpec) || !isObject(toolSpec['inputSchema'])) return [];
    const { json } = toolSpec['inputSchema'];
    return isObject(json) ? [{ name: String(toolSpec['name']), schema: json }] : [];
  });
}

/** Those of Anthropic's own types: the model knows what they take. */
function readAnthropicTools(additional: JsonValue | undefined): ModelTool[] {
  const tools = isObject(additional) ? objectsOf(additional['tools']) : [];
  return tools.map(({ name }) => ({ name: String(name), schema: { type: 'object' } }));
}

function readToolChoice(
  toolConfig: JsonValue | undefined,
  additional: JsonValue | undefined,
): ModelRequest['toolChoice'] {
  const said = isObject(additional) ? additional['tool_choice'] : undefined;
  if (isObject(said)) return said['type'] === 'tool' ? { name: String(said['name']) } : 'required';
  const choice = isObject(toolConfig) && isObject(toolConfig['toolChoice']) ? toolConfig['toolChoice'] : {};
  if (choice['any'] !== undefined) return 'required';
  return isObject(choice['tool']) ? { name: String(choice['tool']['name']) } : 'auto';
}

/** A budget makes Claude think every time; adaptive thinking leaves it to the model, that is to the script. */
function readReasoning(additional: JsonValue | undefined, model: string): ModelRequest['reasoning'] {
  const fields = isObject(additional) ? additional : {};
  switch (bedrockFamily(model).reasoning) {
    case 'none':
      return 'off';
    case 'always':
      return 'always';
    case 'claude': {
      const type = isObject(fields['thinking']) ? fields['thinking']['type'] : undefined;
      if (type === 'enabled') return 'always';
      return type === 'adaptive' ? 'on' : 'off';
    }
    case 'nova':
      return isObject(fields['reasoningConfig']) && fields['reasoningConfig']['type'] === 'enabled'
        ? 'always'
        : 'off';
    case 'asked':
      return fields['reasoning_config'] === undefined ? 'off' : 'always';
  }
}

function readFormat(config: JsonValue | undefined): ModelRequest['format'] {
  const format = isObject(config) ? config['textFormat'] : undefined;
  const structure = isObject(format) && isObject(format['structure']) ? format['structure'] : {};
  const { jsonSchema } = structure;
  const schema = isObject(jsonSchema) ? tryParseJson(String(jsonSchema['schema'])) : undefined;
  return isObject(schema) ? { type: 'json_schema', schema } : undefined;
}
