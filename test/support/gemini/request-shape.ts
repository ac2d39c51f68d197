import {
  any,
  boolean,
  either,
  type Fields,
  integer,
  lazy,
  list,
  map,
  number,
  object,
  oneOf,
  type Shape,
  text,
} from '../shape.ts';

/**
 * The bodies of the Gemini API, from its reference (`v1beta`: GenerateContentRequest, GenerationConfig, Schema, Tool)
 * and the types of the official SDK. The fake takes the same fields under `v1`, `v1beta` and `v1alpha`.
 */

/** `Schema` is a subset of OpenAPI 3.0; every other JSON Schema word is an unknown name. */
export const SCHEMA: Shape = object(
  {},
  {
    anyOf: list(lazy(() => SCHEMA)),
    default: any,
    description: text(),
    enum: list(text()),
    example: any,
    format: text(),
    items: lazy(() => SCHEMA),
    // int64 in protobuf: a number or a string.
    maxItems: either(integer(), text()),
    maxLength: either(integer(), text()),
    maxProperties: either(integer(), text()),
    maximum: number(),
    minItems: either(integer(), text()),
    minLength: either(integer(), text()),
    minProperties: either(integer(), text()),
    minimum: number(),
    nullable: boolean,
    pattern: text(),
    properties: map(lazy(() => SCHEMA)),
    propertyOrdering: list(text()),
    required: list(text()),
    title: text(),
    // Any case is taken: the SDKs send both.
    type: oneOf(
      ...['TYPE_UNSPECIFIED', 'STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL'].flatMap(
        (name) => [name, name.toLowerCase()],
      ),
    ),
  },
);

const BLOB = object({}, { mimeType: text(), data: text(), displayName: text() });
const FILE_DATA = object({}, { mimeType: text(), fileUri: text(), displayName: text() });

/** Parts of tools that Google runs itself, let through unread so that histories with them can be sent. */
const SERVER_PARTS: Fields = {
  codeExecutionResult: map(any),
  executableCode: map(any),
  toolCall: map(any),
  toolResponse: map(any),
};

const PART = object(
  {},
  {
    ...SERVER_PARTS,
    text: text(),
    thought: boolean,
    thoughtSignature: text(),
    inlineData: BLOB,
    fileData: FILE_DATA,
    functionCall: object({}, { id: text(), name: text(), args: map(any) }),
    functionResponse: object(
      {},
      {
        id: text(),
        name: text(),
        response: map(any),
        parts: list(object({}, { inlineData: BLOB, fileData: FILE_DATA })),
        scheduling: text(),
        willContinue: boolean,
      },
    ),
    mediaResolution: any,
    partMetadata: map(any),
    videoMetadata: map(any),
  },
);

const CONTENT = object({}, { role: text(), parts: list(PART) });

const FUNCTION_DECLARATION = object(
  {},
  {
    name: text(),
    description: text(),
    behavior: text(),
    parameters: SCHEMA,
    parametersJsonSchema: any,
    response: SCHEMA,
    responseJsonSchema: any,
  },
);

const TOOL = object(
  {},
  {
    functionDeclarations: list(FUNCTION_DECLARATION),
    // Tools that Google runs itself; their fields are not looked at.
    codeExecution: map(any),
    computerUse: map(any),
    fileSearch: map(any),
    googleMaps: map(any),
    googleSearch: map(any),
    googleSearchRetrieval: map(any),
    mcpServers: any,
    urlContext: map(any),
  },
);

const TOOL_CONFIG = object(
  {},
  {
    functionCallingConfig: object(
      {},
      {
        mode: oneOf('MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED'),
        allowedFunctionNames: list(text()),
        streamFunctionCallArguments: boolean,
      },
    ),
    includeServerSideToolInvocations: boolean,
    retrievalConfig: map(any),
  },
);

const THINKING_CONFIG = object(
  {},
  {
    includeThoughts: boolean,
    thinkingBudget: integer(),
    thinkingLevel: oneOf(
      ...['THINKING_LEVEL_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH'].flatMap((name) => [
        name,
        name.toLowerCase(),
      ]),
    ),
  },
);

const GENERATION_CONFIG = object(
  {},
  {
    audioTimestamp: boolean,
    candidateCount: integer(),
    enableEnhancedCivicAnswers: boolean,
    frequencyPenalty: number(),
    imageConfig: map(any),
    logprobs: integer(),
    maxOutputTokens: integer(),
    mediaResolution: text(),
    presencePenalty: number(),
    responseJsonSchema: any,
    responseLogprobs: boolean,
    responseMimeType: text(),
    responseModalities: list(text()),
    responseSchema: SCHEMA,
    seed: integer(),
    speechConfig: map(any),
    stopSequences: list(text()),
    temperature: number(),
    thinkingConfig: THINKING_CONFIG,
    topK: number(),
    topP: number(),
  },
);

const SAFETY_SETTING = object({}, { category: text(), method: text(), threshold: text() });

const GENERATE: Fields = {
  model: text(),
  contents: list(CONTENT),
  systemInstruction: CONTENT,
  tools: list(TOOL),
  toolConfig: TOOL_CONFIG,
  generationConfig: GENERATION_CONFIG,
  safetySettings: list(SAFETY_SETTING),
  cachedContent: text(),
  serviceTier: text(),
  labels: map(text()),
  store: boolean,
};

export const GENERATE_REQUEST: Shape = object({}, GENERATE);

export const COUNT_TOKENS_REQUEST: Shape = object(
  {},
  { contents: list(CONTENT), generateContentRequest: GENERATE_REQUEST },
);

export const EMBED_REQUEST: Shape = object(
  {},
  {
    model: text(),
    content: CONTENT,
    taskType: text(),
    title: text(),
    outputDimensionality: integer(),
    embedContentConfig: map(any),
  },
);
export const BATCH_EMBED_REQUEST: Shape = object({}, { requests: list(EMBED_REQUEST) });
