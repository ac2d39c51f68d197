import type { Completion, FinishReason } from '../conversation/completion.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import { InvalidOutput } from '../conversation/invalid-output.ts';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import { chat } from '../dialects/chat/index.ts';
import type { CallerDialect } from '../dialects/dialect.ts';
import type { Prompt } from './compile-prompt.ts';
import { describeFaults } from './faults.ts';
import { OutputStream } from './output-stream.ts';
import { unfenceJson } from './unfenced-json.ts';
import { withoutQuotes } from './without-quotes.ts';

export type Output = Prompt['output'];

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
    writeResponse: ({ choices: [choice], usage }, dropped) => {
      const answer = readAnswer(choice);
      const text = readOutput(output, answer, usage);
      if (isCut(answer.finish)) dropped.push(`answer.finish=${answer.finish}`);
      return text;
    },
    streamEncoder: () => new OutputStream(output),
  };
}

/** As the chat dialect says it, with each fault of an input. */
export function encodeError(error: GatewayError): JsonObject {
  const encoded = chat.encodeError(withoutQuotes(error));
  const { details } = error;
  return isObject(encoded['error']) && details ? { error: { ...encoded['error'], ...details } } : encoded;
}

/** What errors are told in where it is not known yet which prompt is called. */
export const PROMPT_ERRORS: CallerDialect = { ...chat, encodeError };

/** What counts of an answer. */
export interface Answer {
  text: string;
  /** What the model says instead of one; absent where it does not. */
  refusal?: string;
  finish: FinishReason;
}

function readAnswer(choice: Completion['choices'][number] | undefined): Answer {
  const { parts = [], finish = 'other' } = choice ?? {};
  const answer: Answer = { text: '', finish };
  for (const part of parts) {
    if (part.type === 'text') answer.text += part.text;
    if (part.type === 'refusal') answer.refusal = (answer.refusal ?? '') + part.text;
  }
  return answer;
}

/** The model had more to say. */
export function isCut(finish: FinishReason): boolean {
  return finish === 'length' || finish === 'context_length';
}

/**
 * The output that an answer is: text, or JSON text as the model wrote it.
 *
 * @throws InvalidOutput where it is none
 */
export function readOutput(
  { format, check }: Output,
  { text, refusal, finish }: Answer,
  usage: Usage | undefined,
): string {
  if (refusal !== undefined || finish === 'refusal' || finish === 'content_filter')
    throw refused(refusal, usage);
  if (format === 'text') return text;
  const json = unfenceJson(text);
  const value = tryParseJson(json);
  if (value === undefined) {
    const why = isCut(finish)
      ? 'it was cut at the limit of tokens'
      : json === ''
        ? 'it is empty'
        : 'it is no JSON';
    // To be asked again it would have to say as much again.
    throw invalid(why, { said: isCut(finish) ? undefined : text, usage });
  }
  const faults = check?.faultsOf(value) ?? [];
  if (faults.length > 0) {
    const why = `it breaks the schema of the output: ${describeFaults(faults)}`;
    const details = { faults: faults.map(({ path, message }) => ({ path, message })) };
    throw invalid(why, { said: text, usage, details });
  }
  return json;
}

function invalid(
  why: string,
  about: { said: string | undefined; usage: Usage | undefined; details?: JsonObject },
): InvalidOutput {
  return new InvalidOutput(`The model's answer cannot be used: ${why}.`, {
    code: 'invalid_output',
    why,
    ...about,
  });
}

function refused(refusal: string | undefined, usage: Usage | undefined): InvalidOutput {
  const words = refusal === undefined || refusal === '' ? '.' : `: ${refusal}`;
  return new InvalidOutput(`The model refused to answer this input${words}`, {
    code: 'refused',
    why: 'it refuses',
    said: undefined,
    usage,
  });
}
