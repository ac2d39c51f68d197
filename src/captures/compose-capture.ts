import { CompletionCollector } from '../conversation/collect.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/registry.ts';
import { EventReader } from '../upstream/event-reader.ts';
import type { AnswerForm, Capture } from './capture.ts';
import { collectOutput } from './collect-output.ts';

/** What a capture is made of; crosses to the thread that makes it. */
export interface CaptureSource {
  /** `null`: streams of it cannot be read. */
  form: AnswerForm | null;
  stream: boolean;
  redact: readonly string[];
  /** Empty where it is not kept. */
  request: Uint8Array;
  /** `null` where it was too large or no text. */
  answer: Uint8Array | null;
}

/** A longer text within a request or answer (an image, most often) is cut, after it was redacted. */
const MAX_TEXT_CHARS = 64 * 1024;
const MAX_JSON_CHARS = 1024 * 1024;
const REDACTED = '[redacted]';

/**
 * Makes what is kept: a stream becomes the answer that it makes up, and whatever the expressions match in any text,
 * number or name is blanked out. Pure.
 */
export function composeCapture({ form, stream, redact, request, answer }: CaptureSource): Capture {
  const expressions = redact.map((source) => new RegExp(source, 'gu'));
  const asked = request.length === 0 ? undefined : tryParseJson(Buffer.from(request).toString('utf8'));
  const answered = answer === null ? undefined : readAnswer(form, stream, Buffer.from(answer), asked);
  const parts = [asked, answered].map((part) => writePart(part, expressions));
  const isUnreadable =
    (request.length > 0 && asked === undefined) || (answer !== null && answered === undefined);
  const isMissing = request.length === 0 || answer === null;
  return {
    request: parts[0]?.text ?? null,
    response: parts[1]?.text ?? null,
    truncated: parts.some((part) => part.truncated),
    gap: isUnreadable ? 'unreadable' : isMissing ? 'too_large_or_binary' : null,
  };
}

function readAnswer(
  form: AnswerForm | null,
  stream: boolean,
  bytes: Buffer,
  request: JsonValue | undefined,
): JsonValue | undefined {
  if (form === 'text') return stream ? collectOutput(bytes) : bytes.toString('utf8');
  // Also a call that asked for a stream may be answered with one JSON text: an error, Gemini's streams without `alt=sse`.
  const text = bytes.toString('utf8');
  const whole = tryParseJson(text);
  if (form === 'output') return whole ?? (stream ? collectOutput(bytes) : undefined);
  if (whole !== undefined || !stream || form === null) return whole;
  try {
    return collectStream(form, bytes, isObject(request) ? request : undefined);
  } catch {
    return undefined;
  }
}

function collectStream(
  dialect: CallerDialectName,
  bytes: Buffer,
  request: JsonObject | undefined,
): JsonObject | undefined {
  const { streamDecoder, encodeResponse } = DIALECTS[dialect];
  const reader = new EventReader();
  const decoder = streamDecoder();
  const collector = new CompletionCollector();
  const messages = [...reader.push(bytes), ...reader.end()];
  for (const message of messages) for (const event of decoder.push(message)) collector.push(event);
  // A stream that broke off says so here; what came until then is what the client has.
  for (const event of decoder.end()) if (event.type !== 'error') collector.push(event);
  const { completion } = collector;
  return completion.choices.length === 0 ? undefined : encodeResponse(completion, request);
}

function writePart(
  part: JsonValue | undefined,
  expressions: readonly RegExp[],
): { text: string | null; truncated: boolean } {
  if (part === undefined) return { text: null, truncated: false };
  const text = JSON.stringify(redactValue(part, expressions));
  const truncated = text.length > MAX_JSON_CHARS;
  return { text: truncated ? text.slice(0, MAX_JSON_CHARS) : text, truncated };
}

function redactValue(value: JsonValue, expressions: readonly RegExp[]): JsonValue {
  if (typeof value === 'string') return cutText(redactText(value, expressions));
  if (typeof value === 'number') {
    const text = String(value);
    const redacted = redactText(text, expressions);
    return redacted === text ? value : redacted;
  }
  if (Array.isArray(value)) return value.map((entry) => redactValue(entry, expressions));
  if (!isObject(value)) return value;
  const redacted: [string, JsonValue][] = [];
  for (const [name, entry] of Object.entries(value)) {
    if (entry !== undefined)
      redacted.push([cutText(redactText(name, expressions)), redactValue(entry, expressions)]);
  }
  return Object.fromEntries(redacted);
}

function redactText(text: string, expressions: readonly RegExp[]): string {
  return expressions.reduce((redacted, expression) => redacted.replace(expression, REDACTED), text);
}

function cutText(text: string): string {
  if (text.length <= MAX_TEXT_CHARS) return text;
  return `${text.slice(0, MAX_TEXT_CHARS)}… [${text.length - MAX_TEXT_CHARS} characters cut]`;
}
