import type { JsonObject } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';

/**
 * What a request names by an id instead of sending it, because the provider's account has it.
 *
 * `file`: uploaded. `item`: one of an earlier answer, or that answer. `audio`: what a model said in an earlier answer.
 * `thread`: all that was said before an answer. `continuation`: where an answer goes on, in a form that only its
 * account may be able to read. `compared`: what was sent for an answer, which a provider only compares with the call's own. `conversation`, `container`: what calls leave behind. `shared`: what an
 * operator sets up for many (vector stores, stored prompts, skills, caches, buckets, voices, indices, tunnels, filters, secrets).
 */
export type HeldKind =
  | 'file'
  | 'item'
  | 'audio'
  | 'thread'
  | 'continuation'
  | 'compared'
  | 'conversation'
  | 'container'
  | 'shared';

/** What of a field's value names something. */
export type HeldForm =
  /** An id, a list of them, or an object that has it as `id`. */
  | 'id'
  /** An object that has it as `id`; a text is a name that everybody may use. */
  | 'object'
  /** An object that has it as `previous_message_id`. */
  | 'continued'
  /** An address, or an object that has it as `url`, where it is no public one (`isHeldAddress`). */
  | 'address'
  /** Whatever stands there: all of it is about what the account may reach. */
  | 'whole';

export interface HeldField {
  kind: HeldKind;
  form: HeldForm;
  /** Only what stands at the top of a request is meant. */
  top?: true;
}

export interface HeldFields {
  fields: Readonly<Record<string, HeldField>>;
  /** Fields that hold requests of their own: theirs is a top, too. */
  requests: ReadonlySet<string>;
  /** Fields below which the words are those of users, tools and models: nothing there is read by its id. */
  freeForm: ReadonlySet<string>;
  /** The same for objects of some types. */
  isFreeForm?: (value: JsonObject) => boolean;
}

const FILE: HeldField = { kind: 'file', form: 'id' };
const SHARED: HeldField = { kind: 'shared', form: 'id' };
const ADDRESS: HeldField = { kind: 'shared', form: 'address' };
const WHOLE: HeldField = { kind: 'shared', form: 'whole' };
const NONE: ReadonlySet<string> = new Set();

/**
 * Sources: OpenAI API reference (chat completions, speech: custom voices; images; responses: input items, file search, code
 * interpreter, shell, conversations, prompts), Azure OpenAI reference (`data_sources`), Mistral API reference (chat: file
 * chunks), Kimi API, "Use the vision model" (`ms://` addresses), vLLM, "Multimodal inputs" (`audio_url`, `file://`,
 * `uuid`), "Disaggregated prefilling" (`kv_transfer_params`), Z.AI and Zhipu API references (tools: `retrieval`), Mistral API reference (tools:
 * `document_library`) and "Using Connectors in Chat Completions", xAI, "Collections",
 * Anthropic API reference (files, containers, skills, message threads, cache diagnostics), Gemini and Vertex API references (`FileData`,
 * `cachedContent`, `continuationToken`, `FileSearch`, `Retrieval`, `ExternalApi`, `AuthConfig`, `GenerationOutputConfig`,
 * `ModelArmorConfig`, `GenerationConfigRoutingConfig`). Google's JSON takes each field in both spellings.
 */
export const HELD_FIELDS: Record<CallerDialectName, HeldFields> = {
  chat: {
    fields: {
      file_id: FILE,
      file_ids: FILE,
      // Of tools that servers of OpenAI's kin run, whatever of its other API they take here.
      vector_store_ids: SHARED,
      knowledge_id: SHARED,
      library_ids: SHARED,
      collection_ids: SHARED,
      connector_id: SHARED,
      skill_id: SHARED,
      tunnel_id: SHARED,
      // What media are cached by, whoever sent them: another's can be had by it, or replaced.
      uuid: SHARED,
      voice: { kind: 'shared', form: 'object' },
      audio: { kind: 'audio', form: 'object' },
      image_url: ADDRESS,
      video_url: ADDRESS,
      audio_url: ADDRESS,
      document_url: ADDRESS,
      file_url: ADDRESS,
      data_sources: { ...WHOLE, top: true },
      // What was computed of a prompt, of whomever, where a server keeps it.
      kv_transfer_params: { ...WHOLE, top: true },
    },
    requests: NONE,
    freeForm: new Set(['parameters', 'schema', 'metadata', 'arguments']),
  },
  responses: {
    fields: {
      file_id: FILE,
      file_ids: FILE,
      vector_store_ids: SHARED,
      collection_ids: SHARED,
      skill_id: SHARED,
      tunnel_id: SHARED,
      // Whether prompts are alike is told of no tenant's but the caller's.
      comparison_response_id: { kind: 'item', form: 'id' },
      prompt: { ...SHARED, top: true },
      conversation: { kind: 'conversation', form: 'id', top: true },
      container: { kind: 'container', form: 'id' },
      container_id: { kind: 'container', form: 'id' },
      image_url: ADDRESS,
      file_url: ADDRESS,
    },
    requests: NONE,
    // Annotations and results repeat what an answer said.
    freeForm: new Set(['parameters', 'schema', 'metadata', 'arguments', 'annotations', 'results']),
  },
  messages: {
    fields: {
      file_id: FILE,
      container: { kind: 'container', form: 'id', top: true },
      skill_id: SHARED,
      thread: { kind: 'thread', form: 'continued', top: true },
      // Why a request finds less in the prompt cache than the one before.
      diagnostics: { kind: 'compared', form: 'continued', top: true },
      url: ADDRESS,
    },
    requests: NONE,
    freeForm: new Set(['input_schema', 'schema', 'metadata', 'citations']),
    isFreeForm: ({ type }) =>
      typeof type === 'string' && (type.endsWith('tool_use') || type.endsWith('_tool_result')),
  },
  gemini: {
    fields: inBothSpellings({
      fileUri: ADDRESS,
      outputUriPrefix: ADDRESS,
      promptTemplateName: SHARED,
      responseTemplateName: SHARED,
      cachedContent: { ...SHARED, top: true },
      continuationToken: { kind: 'continuation', form: 'id', top: true },
      // It leads to other models, which one that is permitted need not be.
      routingConfig: WHOLE,
      fileSearchStoreNames: SHARED,
      datastore: SHARED,
      dataStore: SHARED,
      engine: SHARED,
      ragCorpus: SHARED,
      ragCorpora: SHARED,
      ragFileIds: SHARED,
      externalApi: WHOLE,
      apiAuth: WHOLE,
      authConfig: WHOLE,
    }),
    requests: new Set(['requests', 'generateContentRequest', 'generate_content_request']),
    freeForm: new Set([
      'args',
      'response',
      'parameters',
      'parametersJsonSchema',
      'parameters_json_schema',
      'responseSchema',
      'response_schema',
      'responseJsonSchema',
      'response_json_schema',
      '_responseJsonSchema',
      'labels',
    ]),
  },
};

/** Top-level fields of Google's requests that name something, or hold what does; in both spellings. */
export const GOOGLE_HOLDERS: readonly string[] = [
  'cachedContent',
  'continuationToken',
  'outputConfig',
  'generationOutputConfig',
  'modelArmorConfig',
].flatMap((name) => [name, snakeCase(name)]);

function inBothSpellings(fields: Readonly<Record<string, HeldField>>): Record<string, HeldField> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => [
      [name, field],
      [snakeCase(name), field],
    ]),
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** One value for each dialect. */
export function ofEachDialect<T>(
  make: (held: HeldFields, dialect: CallerDialectName) => T,
): Record<CallerDialectName, T> {
  return {
    chat: make(HELD_FIELDS.chat, 'chat'),
    responses: make(HELD_FIELDS.responses, 'responses'),
    messages: make(HELD_FIELDS.messages, 'messages'),
    gemini: make(HELD_FIELDS.gemini, 'gemini'),
  };
}
