import type { JsonObject } from '../conversation/json.ts';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/chat/pass-through.ts';
import type { CallerDialect, Dialect, StreamEncoder } from '../dialects/dialect.ts';
import { messages } from '../dialects/messages/index.ts';
import { responses } from '../dialects/responses/index.ts';
import type { Door } from '../gateway/door.ts';
import { promptDialect } from '../prompts/answer.ts';
import type { PublishedPrompt } from '../prompts/prompt-book.ts';
import type { PromptVersion } from '../prompts/versions.ts';
import { withoutExtras, withoutQuotes, withoutQuotesOrExtras } from '../prompts/without-quotes.ts';
import { promptHeaders } from './prompt-notice.ts';

/** The output alone, as nearly everybody wants it. */
export const OUTPUT = 'output' as const;

type Format = typeof OUTPUT | keyof typeof DIALECTS;

const DIALECTS = {
  chat: answering(chat),
  responses: answering(responses),
  messages: answering(messages),
} as const satisfies Record<string, CallerDialect>;

/** What an answer may be: the output, or the answer of a dialect. */
export const FORMATS: readonly string[] = [OUTPUT, ...Object.keys(DIALECTS)];

function isFormat(text: string): text is Format {
  return FORMATS.includes(text);
}

/** The doors of each prompt: what its answers are depends on it. */
export class PromptDoors {
  readonly #doors = new WeakMap<PublishedPrompt, Map<string, Door>>();

  /** `undefined` where there is no such format. */
  find(prompt: PublishedPrompt, format: string): Door | undefined {
    const known = this.#doors.get(prompt) ?? new Map<string, Door>();
    this.#doors.set(prompt, known);
    const door = known.get(format) ?? makeDoor(prompt, format);
    if (door) known.set(format, door);
    return door;
  }
}

/** How records name what was called. */
export function recordedName({ name, number }: Pick<PromptVersion, 'name' | 'number'>): string {
  return `${name}@${number}`;
}

function makeDoor(prompt: PublishedPrompt, format: string): Door | undefined {
  if (!isFormat(format)) return undefined;
  const { output } = prompt;
  const isText = format === OUTPUT && output.format === 'text';
  const door: Door = {
    dialect: format === OUTPUT ? promptDialect(output) : DIALECTS[format],
    answerForm: isText ? 'text' : format,
    operation: 'generate',
    passThrough,
    prompt: recordedName(prompt.version),
    headers: promptHeaders(prompt),
  };
  // Relayed as they are, errors within streams would say what a provider quotes.
  door.translatesAnswers = true;
  if (format === OUTPUT) door.repairs = output.repairs;
  if (isText) door.bodyType = 'text/plain; charset=utf-8';
  return door;
}

/** An encoder that tells nothing of what a provider quotes. */
function veil(encoder: StreamEncoder): StreamEncoder {
  return {
    get answer() {
      return encoder.answer;
    },
    push: (event) => encoder.push(withoutQuotesOrExtras(event)),
  };
}

/** Answers in one dialect to what was asked in that of chat. */
function answering({ encodeResponse, streamEncoder, encodeError, keepAlive }: Dialect): CallerDialect {
  // Nobody sent a request of the dialect that the answer could repeat; it is kept nowhere.
  const repeated: JsonObject = { store: false };
  return {
    ...{ name: chat.name, decodeRequest: chat.decodeRequest },
    encodeError: (error) => encodeError(withoutQuotes(error)),
    ...(keepAlive !== undefined && { keepAlive }),
    encodeResponse: (completion, _request, dropped) =>
      encodeResponse(withoutExtras(completion, dropped ?? []), repeated, dropped),
    streamEncoder: (options) => veil(streamEncoder({ ...options, request: repeated })),
  };
}
