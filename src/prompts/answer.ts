import type { Completion, CompletionEvent, FinishReason } from '../conversation/completion.ts';
import type { Part } from '../conversation/conversation.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import { chat } from '../dialects/chat/index.ts';
import { encodeUsage } from '../dialects/chat/usage.ts';
import type { CallerDialect, StreamEncoder } from '../dialects/dialect.ts';
import type { Prompt } from './compile-prompt.ts';
import { describeFaults } from './faults.ts';

type Output = Prompt['output'];

/**
 * What a call of a prompt speaks: its request is one of the chat dialect, made from the prompt; its answer is the prompt's output alone, as
 * text or JSON text. A stream has `delta` events with `text`, or `partial_json` where the output is JSON, and ends with an `output` event
 * that has the whole `output`, or with an `error` event.
 */
export function promptDialect(output: Output): CallerDialect {
  return {
    ...chat,
    encodeError,
    encodeResponse: () => ({}),
    writeResponse: ({ choices: [choice], usage }) => {
      const parts = choice?.parts ?? [];
      return readOutput(output, textOf(parts), choice?.finish ?? 'other', usage).text;
    },
    streamEncoder: () => new OutputStream(output),
  };
}

/** As the chat dialect says it, with each fault of an input. */
function encodeError(error: GatewayError): JsonObject {
  const encoded = chat.encodeError(error);
  const { details } = error;
  return isObject(encoded['error']) && details ? { error: { ...encoded['error'], ...details } } : encoded;
}

/** What errors are told in where it is not known yet which prompt is called. */
export const PROMPT_ERRORS: CallerDialect = { ...chat, encodeError };

function textOf(parts: Completion['choices'][number]['parts']): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

interface Read {
  /** What is sent. */
  text: string;
  value: JsonValue;
}

/** @throws GatewayError where it is none */
function readOutput(
  { format, check }: Output,
  text: string,
  finish: FinishReason,
  usage: Usage | undefined,
): Read {
  if (finish === 'refusal' || finish === 'content_filter')
    throw badOutput('The model refused to answer this input.', 'refused', usage);
  if (format === 'text') return { text, value: text };
  const json = withoutFence(text);
  const value = tryParseJson(json);
  if (value === undefined) {
    const why = finish === 'length' ? 'it was cut at the limit of tokens' : 'it is no JSON';
    throw badOutput(`The model's answer cannot be used: ${why}.`, 'invalid_output', usage);
  }
  const faults = check?.faultsOf(value) ?? [];
  if (faults.length > 0) {
    const why = describeFaults(faults);
    throw badOutput(`The model's answer breaks the schema of the output: ${why}.`, 'invalid_output', usage);
  }
  return { text: json, value };
}

function badOutput(message: string, code: string, usage: Usage | undefined): GatewayError {
  return new GatewayError('upstream_unavailable', message, { code, ...(usage && { usage }) });
}

/** Models that have no structured output write it like that. */
function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text)?.[1] ?? text.trim();
}

class OutputStream implements StreamEncoder {
  readonly #output: Output;
  readonly #texts = new Set<number>();
  #text = '';
  #finish: FinishReason = 'other';
  #usage: Usage | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  push(event: CompletionEvent): string {
    // Prompts ask for one choice.
    if ('choice' in event && event.choice !== 0) return '';
    switch (event.type) {
      case 'part_start':
        return this.#begin(event.part, event.value);
      case 'part_delta':
        return this.#texts.has(event.part) ? this.#delta(event.delta) : '';
      case 'finish':
        this.#finish = event.reason;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'error':
        return frame('error', encodeError(event.error));
      case 'end':
        return this.#end();
      default:
        return '';
    }
  }

  #begin(part: number, value: Part): string {
    if (value.type !== 'text') return '';
    this.#texts.add(part);
    return this.#delta(value.text);
  }

  #delta(delta: string): string {
    if (delta === '') return '';
    this.#text += delta;
    return frame('delta', this.#output.format === 'json' ? { partial_json: delta } : { text: delta });
  }

  #end(): string {
    try {
      const { value } = readOutput(this.#output, this.#text, this.#finish, undefined);
      return frame('output', { output: value, usage: this.#usage ? encodeUsage(this.#usage) : null });
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      return frame('error', encodeError(thrown));
    }
  }
}

function frame(event: string, data: JsonValue): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
