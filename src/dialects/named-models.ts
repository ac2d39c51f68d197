import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { isCount } from './counts.ts';
import type { CallerDialectName } from './dialect.ts';
import { findDoubledKey } from './doubled-keys.ts';
import { escapedKeys } from './held-bytes.ts';
import type { FieldSpans } from './request-fields.ts';
import { flagsOf, type SeenWords, type SoughtWord } from './seen-words.ts';

/** A model that a request names beside the one that it is for. */
export interface NamedModel {
  /** `undefined`: whichever the provider chooses. */
  model: string | undefined;
  /** In the caller's words. */
  path: string;
  /** How much it may say, how often, and how fast it is to (Anthropic's `speed`), where that is said of it. */
  output?: number;
  uses?: number;
  speed?: JsonValue;
}

interface ModelFields {
  /** Top-level fields that name models: one, a list, or objects that have it as `model`. */
  models: readonly string[];
  /** Top-level fields by which a provider chooses models in ways of its own. */
  routes: readonly string[];
}

/**
 * The fields of a dialect, whoever speaks it: what a server of OpenAI's kin really is, its base URL does not tell.
 *
 * Sources: OpenAI API reference (`moderation`), OpenRouter, "Model routing", "Presets" and "Plugins" (`models`, `route`, `preset`,
 * `plugins`), LiteLLM, "Client-side fallbacks" (`fallbacks`, `context_window_fallback_dict`), Vercel AI Gateway, "Model fallbacks"
 * (`providerOptions`), Groq, "Compound" (`compound_custom`), Together API reference (`safety_model`), LM Studio, "Speculative
 * decoding" (`draft_model`), Anthropic API reference (`fallbacks`).
 */
const MODEL_FIELDS: Record<CallerDialectName, ModelFields> = {
  chat: {
    models: ['models', 'fallbacks', 'draft_model', 'safety_model', 'moderation'],
    routes: [
      'route',
      'preset',
      'plugins',
      'providerOptions',
      'compound_custom',
      'context_window_fallback_dict',
    ],
  },
  responses: { models: ['moderation'], routes: [] },
  messages: { models: ['fallbacks'], routes: [] },
  gemini: { models: [], routes: [] },
};

/** Of the fields those whose models do something else than to answer. */
const OTHER_WORK: ReadonlySet<string> = new Set(['draft_model', 'safety_model', 'moderation', 'tools']);

/** The models that may answer in place of the one that a request is for, as far as it names them. */
export function findAlternatives(
  dialect: CallerDialectName,
  read: (field: string) => JsonValue | undefined,
): NamedModel[] {
  const named: NamedModel[] = [];
  for (const field of MODEL_FIELDS[dialect].models) {
    if (!OTHER_WORK.has(field)) collect(read(field), field, named);
  }
  return named.filter(({ model }) => model !== undefined);
}

const ROUTED = flagsOf(['routingConfig', 'routing_config']);

/** Whether another model may answer than the one that the request is for. */
export function mayAnswerOther(dialect: CallerDialectName, spans: FieldSpans, words: SeenWords): boolean {
  if (dialect === 'gemini') return words.hasAnywhere(ROUTED);
  for (const name in spans) if (NAMES[dialect].has(name) && !OTHER_WORK.has(name)) return true;
  return false;
}

const VERSION = /[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/;

/** Whether both names are of one model, of which one may be without its version. */
export function isSameModel(a: string, b: string): boolean {
  return a === b || a.replace(VERSION, '') === b.replace(VERSION, '');
}

/** What models are called in tools that a provider runs (OpenAI: `image_generation`; Anthropic: `advisor`; OpenRouter: its own). */
const KEYS_IN_TOOLS: readonly SoughtWord[] = ['model', 'models', 'allowed_models'];
/** With what says whose tool it is. */
const TELLING_IN_TOOLS: readonly string[] = [...KEYS_IN_TOOLS, 'type'];

/** The top-level fields of which `findNamedModels` asks. */
export function modelFieldNames(dialect: CallerDialectName): readonly string[] {
  const { models, routes } = MODEL_FIELDS[dialect];
  return [...models, ...routes, 'tools'];
}

const NAMES: Record<CallerDialectName, ReadonlySet<string>> = {
  chat: new Set(modelFieldNames('chat')),
  responses: new Set(modelFieldNames('responses')),
  messages: new Set(modelFieldNames('messages')),
  gemini: new Set(modelFieldNames('gemini')),
};

/** Whether any of them is there: nearly no request has one. */
export function mayNameModels(dialect: CallerDialectName, spans: FieldSpans): boolean {
  for (const name in spans) if (NAMES[dialect].has(name)) return true;
  return false;
}

/** Whether the tools of a request may name models. */
export function mayNameInTools(words: SeenWords): boolean {
  return KEYS_IN_TOOLS.some((key) => words.has(key));
}

/** The models that a request names in the fields of its dialect; those in its tools are `findModelsInTools`'s. */
export function findNamedModels(
  dialect: CallerDialectName,
  read: (field: string) => JsonValue | undefined,
): NamedModel[] {
  const { models, routes } = MODEL_FIELDS[dialect];
  const named: NamedModel[] = [];
  for (const field of routes) if (isSaid(read(field))) named.push({ model: undefined, path: field });
  for (const field of models) collect(read(field), field, named);
  return named;
}

/** The models that tools name which the provider runs. What tools of the caller's take is the caller's matter. */
export function findModelsInTools(lists: readonly ToolList[]): NamedModel[] {
  const named: NamedModel[] = [];
  for (const { tools, path } of lists) walkTools(tools, path, named);
  return named;
}

/** The tools that draw images, with a model of their own whether they name it or not. Source: OpenAI API reference. */
export function findImageTools(lists: readonly ToolList[]): NamedModel[] {
  return lists.flatMap(({ tools, path }) =>
    (Array.isArray(tools) ? tools : []).flatMap((tool, index) => {
      if (!isObject(tool) || tool['type'] !== 'image_generation') return [];
      const { model } = tool;
      return [{ model: typeof model === 'string' ? model : undefined, path: `${path}[${index}]` }];
    }),
  );
}

/** Tools as a request says them: in `tools`, or in an item of the input of a Responses request that adds some. */
export interface ToolList {
  tools: JsonValue;
  /** In the caller's words. */
  path: string;
}

/** Whether a Responses request may add tools among its input. */
export function mayAddTools(words: SeenWords): boolean {
  return words.has('additional_tools');
}

/**
 * The tools that items of an input add, whoever says them and however: what a provider makes of them is its own matter.
 *
 * Source: OpenAI API reference (`ResponseInputItem.AdditionalTools`).
 */
export function addedTools(input: JsonValue | undefined): ToolList[] {
  return (Array.isArray(input) ? input : []).flatMap((item, index) => {
    if (!isObject(item) || item['type'] !== 'additional_tools' || item['tools'] === undefined) return [];
    return [{ tools: item['tools'], path: `input[${index}].tools` }];
  });
}

/**
 * A key that two readers could read differently, because it stands twice in one object, or is one of these and escaped.
 *
 * @param text `tools`, or what holds them, as JSON
 */
export function findDoubtfulModel(text: Buffer, tools: JsonValue): string | undefined {
  const counts = new Map<string, number>();
  countKeys(tools, counts);
  const escaped = escapedKeys(text);
  return TELLING_IN_TOOLS.find((key) => escaped.has(key)) ?? findDoubledKey(text, counts);
}

function walkTools(value: JsonValue | undefined, path: string, named: NamedModel[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walkTools(item, `${path}[${index}]`, named);
    return;
  }
  if (!isObject(value) || isCallersOwn(value['type'], path)) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}.${key}`;
    if ((KEYS_IN_TOOLS as readonly string[]).includes(key)) collect(inner, at, named, boundsOf(value));
    else walkTools(inner, at, named);
  }
}

/** Source: Anthropic API reference (`advisor_20260301`, `fallbacks`). */
function boundsOf({ max_tokens: output, max_uses: uses, speed }: JsonObject): Bounds {
  return {
    ...(isCount(output) && { output }),
    ...(isCount(uses) && { uses }),
    ...(speed != null && { speed }),
  };
}

type Bounds = Pick<NamedModel, 'output' | 'uses' | 'speed'>;

/** Of the objects that are tools: those that the caller runs. Anthropic's need not say a type. */
function isCallersOwn(type: JsonValue | undefined, path: string): boolean {
  if (!/(?:^|\.)tools\[\d+\]$/.test(path)) return false;
  return type === undefined || type === null || type === 'function' || type === 'custom';
}

function collect(value: JsonValue | undefined, path: string, named: NamedModel[], bounds?: Bounds): void {
  if (!isSaid(value)) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) collect(item, `${path}[${index}]`, named, bounds);
    return;
  }
  const model = isObject(value) ? value['model'] : value;
  const own = bounds ?? (isObject(value) ? boundsOf(value) : undefined);
  named.push({ model: typeof model === 'string' ? model : undefined, path, ...own });
}

function isSaid(value: JsonValue | undefined): value is Exclude<JsonValue, null> {
  return value !== undefined && value !== null && value !== '';
}

function countKeys(value: JsonValue | undefined, counts: Map<string, number>): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) countKeys(item, counts);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    countKeys(inner, counts);
  }
}
