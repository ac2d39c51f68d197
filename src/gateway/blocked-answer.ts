import type { Completion, CompletionEvent, FinishReason } from '../conversation/completion.ts';
import type { Part } from '../conversation/conversation.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { StreamDecoder, UpstreamDialect } from '../dialects/dialect.ts';
import { EventReader } from '../upstream/event-reader.ts';

/*
 * Some providers refuse a call for their content policy with an answer of status 200 that has nothing in it: Gemini with a `blockReason` or
 * a candidate that ended with `SAFETY`, OpenAI and Azure with `content_filter`, Anthropic with `refusal`. Of a call whose model names
 * targets for such refusals it is a refusal like any other; to all others it is an answer.
 */

const BLOCKED: ReadonlySet<FinishReason> = new Set<FinishReason>(['content_filter', 'refusal']);

/** A larger answer holds something. */
const MAX_EMPTY_BYTES = 64 * 1024;

/** Thoughts are nothing that was answered, nor is the provider's explanation (Anthropic's `stop_details`). */
const UNANSWERED: ReadonlySet<Part['type']> = new Set<Part['type']>(['reasoning', 'refusal']);

/** The refusal that an answer is, if it is one. */
export function blockedCompletion({ choices, usage }: Completion): GatewayError | undefined {
  const isBlocked = choices.every(({ finish, parts }) => BLOCKED.has(finish) && parts.every(isUnanswered));
  return isBlocked && choices.length > 0 ? blocked(usage) : undefined;
}

/** Gemini has a text of nothing beside `SAFETY`, too. */
function isUnanswered(part: Part): boolean {
  return UNANSWERED.has(part.type) || (part.type === 'text' && part.text === '');
}

/** The same of an answer that is relayed. What cannot be read is relayed as it is. */
export function blockedBody(body: Buffer, dialect: UpstreamDialect | undefined): GatewayError | undefined {
  if (!dialect || body.length > MAX_EMPTY_BYTES) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  if (answer === undefined) return undefined;
  try {
    return blockedCompletion(dialect.decodeResponse(answer));
  } catch (thrown) {
    if (thrown instanceof GatewayError) return undefined;
    throw thrown;
  }
}

function blocked(usage: Usage | undefined): GatewayError {
  return new GatewayError('upstream_rejected', 'The content policy of the provider refused the call.', {
    code: 'content_filter',
    usage,
  });
}

/** Looks at what a stream says for as long as it may be a refusal. */
export class BlockWatch {
  #hasOutput = false;
  #isBlocked = false;
  #usage: Usage | undefined;
  /** The part that explains a refusal. */
  #explains: { choice: number; part: number } | undefined;

  note(event: CompletionEvent): void {
    if (event.type === 'usage') this.#usage = event.usage;
    else if (event.type === 'finish' && BLOCKED.has(event.reason)) this.#isBlocked = true;
    else if (event.type === 'part_start' && event.value.type === 'refusal') this.#explains = event;
    else if (this.#isOutput(event)) this.#hasOutput = true;
  }

  /** Nothing was said so far: what there is can be held back. */
  get isUndecided(): boolean {
    return !this.#hasOutput;
  }

  /** To be asked at the stream's end. */
  get refusal(): GatewayError | undefined {
    return this.#isBlocked && !this.#hasOutput ? blocked(this.#usage) : undefined;
  }

  #isOutput(event: CompletionEvent): boolean {
    if (event.type === 'finish' || event.type === 'error') return true;
    if (event.type === 'part_start') return event.value.type !== 'text' && event.value.type !== 'reasoning';
    if (event.type !== 'part_delta' || event.delta === '') return false;
    return event.choice !== this.#explains?.choice || event.part !== this.#explains.part;
  }
}

/** The same of a stream that is relayed: its events are decoded until it has said something. */
export class RelayedBlockWatch {
  readonly #reader = new EventReader();
  readonly #decoder: StreamDecoder;
  readonly #watch = new BlockWatch();

  constructor(dialect: UpstreamDialect) {
    this.#decoder = dialect.streamDecoder();
  }

  /** Whole events. */
  look(events: Buffer): void {
    if (!this.isUndecided) return;
    for (const message of this.#reader.push(events)) this.#note(this.#decoder.push(message));
  }

  get isUndecided(): boolean {
    return this.#watch.isUndecided;
  }

  /** To be called once, at the stream's end. */
  end(): GatewayError | undefined {
    if (!this.isUndecided) return undefined;
    this.#note(this.#decoder.end());
    return this.#watch.refusal;
  }

  #note(events: readonly CompletionEvent[]): void {
    for (const event of events) this.#watch.note(event);
  }
}
