import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelRequest, type ModelTool, type Turn } from '../fake-model.ts';
import { describeData } from '../media.ts';
import { objectsOf, stringsOf } from '../values.ts';
import { geminiFamily } from './models.ts';
import { allowedNames, callingMode, declarationsOf } from './rules.ts';

/** The neutral view of a generate request that was found good (and has camelCase names). */
export function readGenerateRequest(body: JsonObject, model: string): ModelRequest {
  const config = isObject(body['generationConfig']) ? body['generationConfig'] : {};
  const request: ModelRequest = {
    system: isObject(body['systemInstruction']) ? textsOf(objectsOf(body['systemInstruction']['parts'])) : [],
    turns: objectsOf(body['contents']).flatMap(readTurns),
    tools: readTools(body),
    toolChoice: readToolChoice(body),
    parallelCalls: true,
    reasoning: readReasoning(config, model),
    stop: stringsOf(config['stopSequences']),
    choices: typeof config['candidateCount'] === 'number' ? config['candidateCount'] : 1,
  };
  if (typeof config['maxOutputTokens'] === 'number') request.maxOutputTokens = config['maxOutputTokens'];
  const format = readFormat(config);
  if (format) request.format = format;
  return request;
}

function readTurns(content: JsonObject): Turn[] {
  const parts = objectsOf(content['parts']);
  if (content['role'] === 'model') {
    const calls = parts.map((part) => part['functionCall']).filter(isObject);
    return [
      {
        ...emptyTurn('assistant'),
        texts: textsOf(parts),
        calls: calls.map(({ name, args }) => ({ name: String(name), json: JSON.stringify(args ?? {}) })),
      },
    ];
  }
  const results = parts.map((part) => part['functionResponse']).filter(isObject);
  const others = parts.filter((part) => part['functionResponse'] === undefined);
  const turns: Turn[] = [];
  if (results.length > 0) turns.push({ ...emptyTurn('user'), results: results.map(readResult) });
  if (others.length > 0) turns.push({ ...emptyTurn('user'), texts: textsOf(others), media: mediaOf(others) });
  return turns;
}

/** The keys under which a response that is no object of its own is put (reference of `FunctionResponse.response`). */
const WRAPPERS = ['output', 'result', 'error', 'content'];

function readResult({ response, parts }: JsonObject): string {
  const words = isObject(response) ? readResponse(response) : '';
  return [words, ...mediaOf(objectsOf(parts))].filter((word) => word !== '').join(' ');
}

function readResponse(response: JsonObject): string {
  const names = Object.keys(response);
  const only = names.length === 1 ? names[0] : undefined;
  const inner = only !== undefined && WRAPPERS.includes(only) ? response[only] : response;
  return typeof inner === 'string' ? inner : JSON.stringify(inner);
}

/** Thoughts that come back are no words of the conversation. */
function textsOf(parts: readonly JsonObject[]): string[] {
  return parts
    .filter((part) => part['thought'] !== true && part['text'] !== '')
    .map((part) => part['text'])
    .filter((part) => typeof part === 'string');
}

function mediaOf(parts: readonly JsonObject[]): string[] {
  return parts.flatMap(({ inlineData: blob, fileData: file }) => {
    if (isObject(blob)) {
      const mediaType = String(blob['mimeType']);
      return [describeData(kindOf(mediaType), mediaType, String(blob['data']))];
    }
    return isObject(file) ? [`${kindOf(String(file['mimeType'] ?? ''))} ${file['fileUri']}`] : [];
  });
}

function kindOf(mediaType: string): string {
  const kind = mediaType.split('/')[0] ?? '';
  return kind === 'image' || kind === 'audio' ? kind : 'file';
}

function readTools(body: JsonObject): ModelTool[] {
  return declarationsOf(body).map(({ declaration }) => {
    const schema = declaration['parametersJsonSchema'] ?? declaration['parameters'];
    const name = String(declaration['name']);
    return isObject(schema) ? { name, schema } : { name };
  });
}

function readToolChoice(body: JsonObject): ModelRequest['toolChoice'] {
  const mode = callingMode(body);
  if (mode === 'NONE') return 'none';
  if (mode !== 'ANY') return 'auto';
  const [name] = allowedNames(body);
  return name === undefined ? 'required' : { name };
}

/** A model that can think does, unless its budget is 0; whether the thoughts are shown is another matter. */
function readReasoning({ thinkingConfig: thinking }: JsonObject, model: string): ModelRequest['reasoning'] {
  if (!geminiFamily(model).budget) return 'off';
  return isObject(thinking) && thinking['thinkingBudget'] === 0 ? 'off' : 'on';
}

function readFormat(config: JsonObject): ModelRequest['format'] {
  if (config['responseMimeType'] !== 'application/json') return undefined;
  const schema: JsonValue | undefined = config['responseJsonSchema'] ?? config['responseSchema'];
  return isObject(schema) ? { type: 'json_schema', schema } : { type: 'json_object' };
}
