import type {
  CacheHint,
  Conversation,
  FilePart,
  ImagePart,
  MediaSource,
  Message,
  Part,
  ReasoningRequest,
  Tool,
  ToolChoice,
  ToolResultPart,
} from '../../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import { decodeBlock, opaque } from '../../../src/dialects/converse/decode-blocks.ts';
import { objectsOf } from '../../support/values.ts';

/**
 * Reads a Converse request as the gateway would if it had a door for it. It has none, so only tests need this: what was
 * recorded must come through the encoder whole.
 */
export function decodeRequest(body: JsonObject, model: string): Conversation {
  const {
    messages,
    system,
    toolConfig,
    inferenceConfig,
    serviceTier,
    outputConfig,
    additionalModelRequestFields,
    ...rest
  } = body;
  const { thinking, reasoning_effort, reasoning_config, top_k, ...additional } = object(
    additionalModelRequestFields,
  );
  const config = object(inferenceConfig);
  const reasoning = readReasoning(thinking, reasoning_effort ?? reasoning_config);
  const toolChoice = readToolChoice(object(toolConfig)['toolChoice']);
  const responseFormat = readFormat(outputConfig);
  const systemParts = readParts(objectsOf(system));
  return {
    dialect: 'converse',
    model,
    stream: false,
    messages: [
      ...(systemParts.length > 0 ? [{ role: 'system' as const, parts: systemParts }] : []),
      ...objectsOf(messages).flatMap(readMessage),
    ],
    tools: readTools(objectsOf(object(toolConfig)['tools'])),
    ...(toolChoice ? { toolChoice } : {}),
    parameters: JSON.parse(
      JSON.stringify({
        maxOutputTokens: config['maxTokens'],
        temperature: config['temperature'],
        topP: config['topP'],
        stop: config['stopSequences'],
        topK: top_k,
        serviceTier: object(serviceTier)['type'],
      }),
    ) as Conversation['parameters'],
    ...(reasoning ? { reasoning } : {}),
    ...(responseFormat ? { responseFormat } : {}),
    extra: {
      dialect: 'converse',
      fields: {
        ...rest,
        ...(Object.keys(additional).length > 0 ? { additionalModelRequestFields: additional } : {}),
      },
    },
  };
}

function readMessage({ role, content }: JsonObject): Message[] {
  const parts = readParts(objectsOf(content));
  if (role === 'assistant') return [{ role: 'assistant', parts }];
  const results = parts.filter(({ type }) => type === 'tool_result');
  const others = parts.filter(({ type }) => type !== 'tool_result');
  return [
    ...(results.length > 0 ? [{ role: 'tool' as const, parts: results }] : []),
    ...(others.length > 0 ? [{ role: 'user' as const, parts: others }] : []),
  ];
}

/** A cache point is a hint on what stands before it. */
function readParts(blocks: readonly JsonObject[]): Part[] {
  const parts: Part[] = [];
  for (const block of blocks) {
    const last = parts.at(-1);
    if (isObject(block['cachePoint']) && last)
      Object.assign(last, { cacheHint: readHint(block['cachePoint']) });
    else parts.push(readPart(block));
  }
  return parts;
}

function readHint({ ttl }: JsonObject): CacheHint {
  return ttl === '5m' || ttl === '1h' ? { ttl } : {};
}

function readPart(block: JsonObject): Part {
  const { audio, document, image, video, toolResult } = block;
  if (isObject(document)) return readFile(document, DOCUMENT_TYPES);
  if (isObject(video)) return readFile(video, VIDEO_TYPES);
  if (isObject(image)) return readImage(image);
  if (isObject(audio)) {
    const mediaType = AUDIO_TYPES[String(audio['format'])] ?? 'unknown';
    return { type: 'audio', source: readSource(object(audio['source']), mediaType) };
  }
  if (isObject(toolResult) && toolResult['type'] === undefined) return readResult(toolResult);
  return decodeBlock(block) ?? opaque(block);
}

const DOCUMENT_TYPES: Record<string, string> = { pdf: 'application/pdf', txt: 'text/plain', csv: 'text/csv' };
const AUDIO_TYPES: Record<string, string> = { mp3: 'audio/mpeg', wav: 'audio/wav' };
const VIDEO_TYPES: Record<string, string> = { mp4: 'video/mp4' };

function readFile(medium: JsonObject, types: Record<string, string>): FilePart {
  const { name, format, source } = medium;
  return {
    type: 'file',
    source: readSource(object(source), types[String(format)] ?? 'unknown'),
    ...(typeof name === 'string' ? { filename: name } : {}),
  };
}

function readImage({ format, source }: JsonObject): ImagePart {
  return { type: 'image', source: readSource(object(source), `image/${format}`) };
}

function readSource({ bytes, s3Location }: JsonObject, mediaType: string): MediaSource {
  if (typeof bytes === 'string') return { kind: 'data', mediaType, base64: bytes };
  return { kind: 'url', url: String(object(s3Location)['uri']), mediaType };
}

function readResult({ toolUseId, content, status }: JsonObject): Part {
  return {
    type: 'tool_result',
    callId: String(toolUseId),
    parts: objectsOf(content).map((block) => readPart(block) as ToolResultPart['parts'][number]),
    ...(status === undefined ? {} : { isError: status === 'error' }),
  };
}

function readTools(elements: readonly JsonObject[]): Tool[] {
  const tools: Tool[] = [];
  for (const element of elements) {
    const { toolSpec, cachePoint } = element;
    const last = tools.at(-1);
    if (isObject(cachePoint) && last) Object.assign(last, { cacheHint: readHint(cachePoint) });
    else if (isObject(toolSpec)) tools.push(readTool(toolSpec));
    else tools.push(opaque(element));
  }
  return tools;
}

function readTool({ name, description, inputSchema, strict }: JsonObject): Tool {
  return {
    type: 'function',
    name: String(name),
    ...(typeof description === 'string' ? { description } : {}),
    schema: object(object(inputSchema)['json']),
    ...(typeof strict === 'boolean' ? { strict } : {}),
  };
}

function readToolChoice(choice: JsonValue | undefined): ToolChoice | undefined {
  if (!isObject(choice)) return undefined;
  if (choice['any']) return { type: 'required' };
  return isObject(choice['tool']) ? { type: 'tool', name: String(choice['tool']['name']) } : { type: 'auto' };
}

function readReasoning(
  thinking: JsonValue | undefined,
  effort: JsonValue | undefined,
): ReasoningRequest | undefined {
  if (typeof effort === 'string') return { effort };
  if (!isObject(thinking)) return undefined;
  const { budget_tokens: budget } = thinking;
  // The model itself decides how much.
  if (thinking['type'] === 'adaptive') return { budgetTokens: -1 };
  return typeof budget === 'number' ? { budgetTokens: budget } : { effort: 'none' };
}

function readFormat(config: JsonValue | undefined): Conversation['responseFormat'] {
  const { jsonSchema } = object(object(object(config)['textFormat'])['structure']);
  if (!isObject(jsonSchema)) return undefined;
  const { name, description, schema } = jsonSchema;
  return {
    type: 'json_schema',
    name: String(name ?? ''),
    schema: object(tryParseJson(String(schema))),
    ...(typeof description === 'string' ? { description } : {}),
  };
}

function object(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}
