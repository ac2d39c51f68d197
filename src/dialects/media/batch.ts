import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { addUsage, inputTokens, NO_USAGE, outputTokens, type Usage } from '../../conversation/usage.ts';
import { findTopLevelFields } from '../request-fields.ts';
import { decodeUsage } from '../responses/usage.ts';
import { WordTable } from '../word-table.ts';

/** A batch that is over, as far as its bill needs it. */
export interface EndedBatch {
  /** Of all its lines; `undefined` where its provider did not say. */
  usage: Usage | undefined;
  model: string | undefined;
  /** Where its lines go, e.g. `/v1/chat/completions`. */
  endpoint: string | undefined;
  /** The file of what was answered, which says of each line what it used. */
  outputFile: string | undefined;
}

/** In other cases at some servers of OpenAI's kin (Together: `COMPLETED`). */
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'expired', 'cancelled']);

/**
 * `undefined` where the batch is under way. Lines that were answered before it expired or was cancelled are used like others; one that
 * `failed` was not begun, for its file was none of a batch.
 *
 * Source: OpenAI API reference, `Batch` (`status`, `model`, `usage`: of batches made since September 7, 2025); OpenRouter's has the words of
 * chat for its counts; Groq's and older servers' has none.
 */
export function readEndedBatch(batch: JsonObject): EndedBatch | undefined {
  const { status } = batch;
  if (typeof status !== 'string' || !ENDED.has(status.toLowerCase())) return undefined;
  const outputFile = nameOf(batch['output_file_id']);
  const said = decodeUsage(batch['usage']);
  const answered = isObject(batch['request_counts']) ? batch['request_counts']['completed'] : undefined;
  const isUnused = outputFile === undefined && (answered === 0 || status.toLowerCase() === 'failed');
  // Zeros of a batch that has answers are those of a server that fills in what it does not count.
  const isSaid = said !== undefined && (outputFile === undefined || hasTokens(said));
  return {
    usage: isSaid ? said : isUnused ? { ...NO_USAGE } : undefined,
    model: nameOf(batch['model']),
    endpoint: nameOf(batch['endpoint']),
    outputFile,
  };
}

function hasTokens(usage: Usage): boolean {
  return inputTokens(usage) + outputTokens(usage) > 0;
}

/** No id and no name of a model is longer. */
const MAX_NAME = 512;

function nameOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME ? value : undefined;
}

const LINE_FIELDS = new WordTable(['response']);
const RESPONSE_FIELDS = new WordTable(['body']);
const BODY_FIELDS = new WordTable(['model', 'usage']);
const OPEN_BRACE = 0x7b;

/** What a line of a batch's output used. */
export interface LineUse {
  model: string | undefined;
  /** `undefined` where its answer does not say. */
  usage: Usage | undefined;
}

/**
 * Gives `undefined` for a line without an answer. Only what is asked of it is parsed: an answer may be a megabyte of vectors.
 *
 * Source: OpenAI API reference, "The request output object" (batches); Groq's and Together's are alike.
 *
 * @throws GatewayError `invalid_request` where it is no JSON object
 */
export function readOutputLine(line: Buffer): LineUse | undefined {
  const response = objectAt(line, findTopLevelFields(line, LINE_FIELDS)['response']);
  const body = response && objectAt(response, findTopLevelFields(response, RESPONSE_FIELDS)['body']);
  if (!body) return undefined;
  const { model, usage } = findTopLevelFields(body, BODY_FIELDS);
  const read = (span: typeof model) => span && tryParseJson(body.toString('utf8', span.start, span.end));
  return { model: nameOf(read(model)), usage: decodeUsage(read(usage)) };
}

function objectAt(bytes: Buffer, span: { start: number; end: number } | undefined): Buffer | undefined {
  if (!span || bytes[span.start] !== OPEN_BRACE) return undefined;
  return bytes.subarray(span.start, span.end);
}

/** So many models of one output are told apart; what more there are count as the last of them. */
const MAX_MODELS = 20;

/** Adds the lines of an output up, by their models. */
export class OutputSum {
  readonly #models = new Map<string | undefined, Usage>();
  #hasUnsaid = false;

  add({ model, usage }: LineUse): void {
    if (!usage) {
      this.#hasUnsaid = true;
      return;
    }
    const known = this.#models.has(model) || this.#models.size < MAX_MODELS;
    const place = known ? model : [...this.#models.keys()].at(-1);
    this.#models.set(place, addUsage(this.#models.get(place) ?? NO_USAGE, usage));
  }

  /** Empty where no answer said what it used. An estimate where only some did. */
  list(): ModelUse[] {
    return [...this.#models].map(([model, usage]) => ({
      model,
      usage: this.#hasUnsaid ? { ...usage, estimated: true } : usage,
    }));
  }
}

/** What a batch used of a model. */
export interface ModelUse {
  model: string | undefined;
  usage: Usage;
}
