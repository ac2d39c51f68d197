import type { JsonObject } from './json.ts';

/**
 * The neutral model that all dialects meet in: what a client asks. It says the union of what the dialects
 * can say about things that more than one of them knows. What only one dialect knows travels in `Extra`
 * or as an `OpaquePart`, and only that dialect's encoder writes it back.
 */
export interface Conversation {
  /** Whose words it was decoded from: messages to the caller name parameters in them. */
  dialect: DialectName;
  /** As the decoded request named it; an encoder writes the target's model version in its place. */
  model: string;
  stream: boolean;
  /** System and developer messages stand where the client put them. */
  messages: Message[];
  tools: Tool[];
  toolChoice?: ToolChoice;
  parallelToolCalls?: boolean;
  parameters: Parameters;
  responseFormat?: ResponseFormat;
  reasoning?: ReasoningRequest;
  /**
   * The caller's word for what its dialect has several words for (chat `max_tokens`). The same
   * dialect writes it back so, and messages to the caller name it so.
   */
  spelling?: Partial<Record<keyof Parameters | 'responseFormat' | 'tools' | 'toolChoice', string>>;
  extra?: Extra;
}

export type DialectName = 'chat' | 'responses' | 'messages' | 'gemini' | 'converse';

/** Fields that one dialect said and the neutral model has no word for, in the order they came. */
export interface Extra {
  dialect: DialectName;
  fields: JsonObject;
}

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool';

export interface Message {
  role: Role;
  /** A `tool` message holds only tool results; an `assistant` message never does. */
  parts: Part[];
  /** The participant's name (chat `name`). */
  name?: string;
  extra?: Extra;
}

export type Part =
  | TextPart
  | ImagePart
  | AudioPart
  | FilePart
  | ToolCallPart
  | ToolResultPart
  | ReasoningPart
  | RefusalPart
  | OpaquePart;

interface PartBase {
  /** "The prompt up to here may be cached": Anthropic `cache_control`, Bedrock `cachePoint`. */
  cacheHint?: CacheHint;
  extra?: Extra;
}

export interface CacheHint {
  ttl?: '5m' | '1h';
  extra?: Extra;
}

export interface TextPart extends PartBase {
  type: 'text';
  text: string;
  citations?: Citation[];
  signature?: Signature;
}

export interface ImagePart extends PartBase {
  type: 'image';
  source: MediaSource;
  /** OpenAI's `detail`. */
  detail?: string;
  signature?: Signature;
}

export interface AudioPart extends PartBase {
  type: 'audio';
  source: MediaSource;
}

/** A document (PDF, text, …) or, in Gemini, any other medium such as video. */
export interface FilePart extends PartBase {
  type: 'file';
  source: MediaSource;
  filename?: string;
}

export type MediaSource =
  | { kind: 'data'; mediaType: string; base64: string }
  | { kind: 'url'; url: string; mediaType?: string }
  /** An id in the file store of the provider that speaks `dialect`. */
  | { kind: 'fileId'; fileId: string; dialect: DialectName }
  /** A plain-text document (Anthropic `source.type: "text"`). */
  | { kind: 'text'; mediaType: string; text: string };

export interface ToolCallPart extends PartBase {
  type: 'tool_call';
  id: string;
  name: string;
  /** `custom` tools take free text instead of JSON. */
  kind: 'function' | 'custom';
  /** JSON text exactly as the model wrote it (`custom`: the free text). May be invalid JSON: models do that. */
  arguments: string;
  signature?: Signature;
}

export interface ToolResultPart extends PartBase {
  type: 'tool_result';
  /** The id of the tool call that it answers. */
  callId: string;
  /** The tool's name where the dialect states it or an earlier call told it. */
  name?: string;
  parts: (TextPart | ImagePart | FilePart | OpaquePart)[];
  isError?: boolean;
}

export interface ReasoningPart extends PartBase {
  type: 'reasoning';
  /** Readable reasoning; empty where the provider gives only the encrypted form. */
  text: string;
  /** Proof that the provider demands back with the text (Anthropic `signature`). */
  signature?: Signature;
  /** The encrypted form that stands in for the text (`redacted_thinking`, `encrypted_content`). */
  encrypted?: Signature;
  /** The provider that answered so takes the text back without any proof, and may demand it (DeepSeek after a tool call). */
  wantedBack?: true;
}

/** An opaque string that only the provider kind that made it accepts back. Encoders of other dialects drop it. */
export interface Signature {
  dialect: DialectName;
  value: string;
}

export interface RefusalPart extends PartBase {
  type: 'refusal';
  text: string;
}

/** A block that only `dialect` knows (server tools, containers, …), verbatim. */
export interface OpaquePart {
  type: 'opaque';
  dialect: DialectName;
  value: JsonObject;
  /** What is said around it, where it is the first of what it stands in. */
  extra?: Extra;
}

export interface Citation {
  url?: string;
  title?: string;
  /** The cited words of the source. */
  quote?: string;
  /** Where in what the request held they stand, instead of on a page of the web, and where it was from. */
  place?: CitedPlace;
  source?: string;
  /** Which characters of the answer's text the citation supports, in UTF-16 units. */
  start?: number;
  end?: number;
}

/** `index`: which of the documents, or of the results of searches, of the request. Page numbers begin with 1, all else with 0; `end` is behind the last. */
export interface CitedPlace {
  of: 'chars' | 'pages' | 'blocks' | 'search_result';
  index: number;
  start: number;
  end: number;
}

export type Tool =
  | {
      type: 'function';
      name: string;
      description?: string;
      /** JSON Schema of the arguments, in its own key order. Absent: no arguments. */
      schema?: JsonObject;
      strict?: boolean;
      cacheHint?: CacheHint;
      extra?: Extra;
    }
  /** A tool that takes free text; `format` as OpenAI words it (`text` or a grammar). */
  | { type: 'custom'; name: string; description?: string; format?: JsonObject; extra?: Extra }
  /** A tool that the provider itself runs (web search, code execution, …), verbatim. */
  | { type: 'opaque'; dialect: DialectName; value: JsonObject };

export type ToolChoice = (
  | { type: 'auto' }
  | { type: 'none' }
  | { type: 'required' }
  | { type: 'tool'; name: string }
  /** Only these tools, in mode `auto` or `required` (chat `allowed_tools`, Gemini `allowedFunctionNames`). */
  | { type: 'allowed'; mode: 'auto' | 'required'; names: string[] }
  | { type: 'opaque'; dialect: DialectName; value: JsonObject }
) & { extra?: Extra };

/** What steers the sampling, and who asks. `dialects/parameters.ts` says what becomes of each in each dialect. */
export interface Parameters {
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  seed?: number;
  stop?: string[];
  /** How many choices. */
  n?: number;
  logprobs?: boolean;
  topLogprobs?: number;
  logitBias?: JsonObject;
  /** An opaque id of the end user. */
  endUser?: string;
  serviceTier?: string;
  verbosity?: string;
  promptCacheKey?: string;
}

export type ResponseFormat = (
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; name: string; description?: string; schema: JsonObject; strict?: boolean }
) & { extra?: Extra };

/** How much the model may think before it answers. */
export interface ReasoningRequest {
  /** OpenAI's words: none, minimal, low, medium, high, xhigh (or `max`). */
  effort?: string;
  /** A token budget (Anthropic `budget_tokens`, Gemini `thinkingBudget`; -1: the model decides). */
  budgetTokens?: number;
  /** Whether reasoning text is wanted in the answer; undefined: the dialect's default. */
  includeText?: boolean;
  extra?: Extra;
}
