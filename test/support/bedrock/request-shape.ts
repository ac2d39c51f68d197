import { any, boolean, integer, list, map, number, object, oneOf, type Shape, text } from '../shape.ts';

/**
 * The body of `POST /model/ID/converse` and `/converse-stream`, from the Bedrock API reference and the types of
 * `@aws-sdk/client-bedrock-runtime`. Members of unions are optional here; that exactly one is set is a rule.
 */

const BYTES = text({ minLength: 1 });
const S3_LOCATION = object({ uri: text({ pattern: /^s3:\/\/.+/ }) }, { bucketOwner: text() });
const SOURCE = object({}, { bytes: BYTES, s3Location: S3_LOCATION });

const CACHE_POINT = object({ type: oneOf('default') }, { ttl: oneOf('5m', '1h') });
const IMAGE = object({ format: oneOf('png', 'jpeg', 'gif', 'webp'), source: SOURCE });
const VIDEO = object({
  format: oneOf('mkv', 'mov', 'mp4', 'webm', 'flv', 'mpeg', 'mpg', 'wmv', 'three_gp'),
  source: SOURCE,
});
const AUDIO = object({
  format: oneOf('mp3', 'opus', 'wav', 'aac', 'flac', 'mp4', 'ogg', 'mkv', 'm4a', 'mpeg', 'pcm', 'webm'),
  source: SOURCE,
});
const CITATIONS = object({ enabled: boolean });
const DOCUMENT = object(
  {
    name: text({ minLength: 1, maxLength: 200 }),
    source: object(
      {},
      {
        bytes: BYTES,
        s3Location: S3_LOCATION,
        text: text(),
        content: list(object({}, { text: text() })),
      },
    ),
  },
  {
    format: oneOf('pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md'),
    context: text(),
    citations: CITATIONS,
  },
);

/** Older references say 1 to 64 of `[a-zA-Z0-9_-]` for both. */
const TOOL_USE_ID = text({ minLength: 1, maxLength: 64, pattern: /^[a-zA-Z0-9_-]+$/ });
const TOOL_NAME = text({ minLength: 1, maxLength: 64, pattern: /^[a-zA-Z0-9_-]+$/ });

const SEARCH_RESULT = object(
  { source: text(), title: text(), content: list(object({ text: text() }), { minItems: 1 }) },
  { citations: CITATIONS },
);
const CITED = (index: string): Shape => object({}, { [index]: integer(), start: integer(), end: integer() });
const CITATION = object(
  {},
  {
    title: text(),
    source: text(),
    sourceContent: list(object({}, { text: text() })),
    location: object(
      {},
      {
        web: object({}, { url: text(), domain: text() }),
        documentChar: CITED('documentIndex'),
        documentPage: CITED('documentIndex'),
        documentChunk: CITED('documentIndex'),
        searchResultLocation: CITED('searchResultIndex'),
      },
    ),
  },
);

const RESULT_BLOCK = object(
  {},
  { text: text(), json: any, image: IMAGE, document: DOCUMENT, video: VIDEO, searchResult: SEARCH_RESULT },
);

const BLOCK: Shape = object(
  {},
  {
    text: text(),
    image: IMAGE,
    document: DOCUMENT,
    video: VIDEO,
    audio: AUDIO,
    toolUse: object(
      { toolUseId: TOOL_USE_ID, name: TOOL_NAME, input: any },
      { type: oneOf('server_tool_use', 'tool_use') },
    ),
    toolResult: object(
      { toolUseId: TOOL_USE_ID, content: list(RESULT_BLOCK) },
      { status: oneOf('success', 'error'), type: text() },
    ),
    guardContent: map(any),
    cachePoint: CACHE_POINT,
    reasoningContent: object(
      {},
      {
        reasoningText: object({ text: text() }, { signature: text() }),
        redactedContent: text(),
      },
    ),
    citationsContent: object({}, { content: list(object({}, { text: text() })), citations: list(CITATION) }),
    searchResult: SEARCH_RESULT,
  },
);

const TOOL = object(
  {},
  {
    toolSpec: object(
      { name: TOOL_NAME, inputSchema: object({}, { json: any }) },
      { description: text({ minLength: 1 }), strict: boolean },
    ),
    systemTool: object({ name: TOOL_NAME }),
    cachePoint: CACHE_POINT,
  },
);

const TOOL_CONFIG = object(
  { tools: list(TOOL, { minItems: 1 }) },
  { toolChoice: object({}, { auto: object({}), any: object({}), tool: object({ name: TOOL_NAME }) }) },
);

const TEXT_FORMAT = object({
  type: oneOf('json_schema'),
  structure: object(
    {},
    { jsonSchema: object({ schema: text({ minLength: 1 }) }, { name: text(), description: text() }) },
  ),
});

export const CONVERSE_REQUEST: Shape = object(
  {},
  {
    messages: list(object({ role: oneOf('user', 'assistant', 'system'), content: list(BLOCK) })),
    system: list(object({}, { text: text(), guardContent: map(any), cachePoint: CACHE_POINT })),
    inferenceConfig: object(
      {},
      {
        maxTokens: integer({ min: 1 }),
        temperature: number({ min: 0, max: 1 }),
        topP: number({ min: 0, max: 1 }),
        stopSequences: list(text({ minLength: 1 })),
      },
    ),
    toolConfig: TOOL_CONFIG,
    guardrailConfig: object(
      {},
      {
        guardrailIdentifier: text(),
        guardrailVersion: text(),
        trace: oneOf('enabled', 'disabled', 'enabled_full'),
        streamProcessingMode: oneOf('sync', 'async'),
      },
    ),
    additionalModelRequestFields: any,
    additionalModelResponseFieldPaths: list(text({ minLength: 1, pattern: /^\// })),
    promptVariables: map(any),
    requestMetadata: map(text()),
    performanceConfig: object({}, { latency: oneOf('standard', 'optimized') }),
    serviceTier: object({ type: oneOf('priority', 'default', 'flex', 'reserved') }),
    outputConfig: object(
      {},
      { textFormat: TEXT_FORMAT, effort: oneOf('low', 'medium', 'high', 'xhigh', 'max') },
    ),
  },
);
