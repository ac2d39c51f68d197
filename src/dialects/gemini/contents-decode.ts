import type { Message, Part, ToolResultPart } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { placed } from '../places.ts';
import { restoreCarriedReasoning } from './carried-signatures.ts';
import { joinModelTurns } from './join-turns.ts';
import { decodePart } from './parts.ts';
import { defined, extraOf, listOf, messageIn, readMessage, textIn } from './proto.ts';
import { makeToolCallId } from './tool-call-ids.ts';
import { decodeToolResult } from './tool-results.ts';

/** `contents` as messages: a content with function responses becomes a tool message, and a user's one for the rest. */
export function decodeContents(value: JsonValue | undefined): Message[] {
  const contents = listOf(value);
  if (contents.length === 0) throw invalidRequest("'contents' must hold at least one content.", 'contents');
  const calls = new CallLedger();
  const messages = contents.flatMap((content, index) => decodeContent(content, `contents[${index}]`, calls));
  return restoreCarriedReasoning(joinModelTurns(messages));
}

/** The system instruction: a content whose role does not matter. A string is what some clients send. */
export function decodeSystemInstruction(value: JsonValue | undefined): Message[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [{ role: 'system', parts: [{ type: 'text', text: value }] }];
  const { parts, rest } = readContent(value, 'systemInstruction');
  const decoded = parts.map((part, at) =>
    placed(
      decodePart(part, () => ''),
      `systemInstruction.parts[${at}]`,
    ),
  );
  const message = defined({ role: 'system' as const, parts: decoded, extra: extraOf(rest) });
  return [placed(message, 'systemInstruction')];
}

function decodeContent(value: JsonValue, path: string, calls: CallLedger): Message[] {
  const { role, parts, rest } = readContent(value, path);
  const extra = extraOf(rest);
  if (role === 'model') {
    const decoded = parts.map((part, at) =>
      placed(
        decodePart(part, (call) => calls.make(call, path)),
        `${path}.parts[${at}]`,
      ),
    );
    for (const part of decoded) if (part.type === 'tool_call') calls.add(part.id, part.name);
    return [placed(defined({ role: 'assistant' as const, parts: decoded, extra }), path)];
  }
  if (role !== undefined && role !== 'user' && role !== 'function') {
    throw invalidRequest(`'${path}.role' must be 'user' or 'model'.`, `${path}.role`);
  }
  const messages: Message[] = [];
  for (const [at, part] of parts.entries()) {
    const response = messageIn(part, 'functionResponse');
    const decoded: Part = response
      ? decodeResponse(part, response, path, at, calls)
      : decodePart(part, (call) => calls.make(call, path));
    placed(decoded, `${path}.parts[${at}]`);
    const wanted = response ? 'tool' : 'user';
    const last = messages.at(-1);
    if (last?.role === wanted) last.parts.push(decoded);
    else
      messages.push(
        placed(
          defined({ role: wanted, parts: [decoded], extra: messages.length === 0 ? extra : undefined }),
          path,
        ),
      );
  }
  return messages.length > 0 ? messages : [defined({ role: 'user' as const, parts: [], extra })];
}

function decodeResponse(
  { functionResponse: _, ...beside }: JsonObject,
  response: JsonObject,
  path: string,
  at: number,
  calls: CallLedger,
): ToolResultPart {
  const name = textIn(response, 'name');
  if (name === undefined) {
    throw invalidRequest(`'${path}' holds a functionResponse without a name.`, `${path}.parts`);
  }
  const id = textIn(response, 'id');
  return decodeToolResult(
    response,
    id === undefined || id === '' ? calls.take(name, path) : calls.answer(id),
    `${path}.parts[${at}].functionResponse`,
    beside,
  );
}

interface Content {
  role: string | undefined;
  parts: JsonObject[];
  rest: JsonObject;
}

function readContent(value: JsonValue, path: string): Content {
  // The SDKs' shorthand for a content of the user, which some clients send as it is.
  if (typeof value === 'string') return { role: undefined, parts: [{ text: value }], rest: {} };
  if (!isObject(value)) throw invalidRequest(`'${path}' must be an object.`, path);
  const { role, parts, ...rest } = readMessage(value);
  const read = listOf(parts).map((part, index) => readPart(part, `${path}.parts[${index}]`));
  return { role: typeof role === 'string' && role !== '' ? role : undefined, parts: read, rest };
}

function readPart(value: JsonValue, path: string): JsonObject {
  if (typeof value === 'string') return { text: value };
  if (!isObject(value)) throw invalidRequest(`'${path}' must be an object.`, path);
  const part = readMessage(value);
  if (part['text'] !== undefined && typeof part['text'] !== 'string') {
    throw invalidRequest(`'${path}.text' must be a string.`, `${path}.text`);
  }
  for (const field of ['functionCall', 'functionResponse', 'inlineData', 'fileData']) {
    if (part[field] !== undefined && !isObject(part[field])) {
      throw invalidRequest(`'${path}.${field}' must be an object.`, `${path}.${field}`);
    }
  }
  return part;
}

/** Which calls wait for their result. Gemini pairs a result without an id with the next call of its name. */
class CallLedger {
  readonly #waiting: { id: string; name: string }[] = [];
  #made = 0;

  make(call: JsonObject, path: string): string {
    this.#made += 1;
    return makeToolCallId(`${path} ${textIn(readMessage(call), 'name') ?? ''}`, this.#made);
  }

  add(id: string, name: string): void {
    this.#waiting.push({ id, name });
  }

  answer(id: string): string {
    const index = this.#waiting.findIndex((call) => call.id === id);
    if (index >= 0) this.#waiting.splice(index, 1);
    return id;
  }

  /** The id of the first unanswered call of this name; a new one where there is none, which no call will have. */
  take(name: string, path: string): string {
    const index = this.#waiting.findIndex((call) => call.name === name);
    const [call] = index >= 0 ? this.#waiting.splice(index, 1) : [];
    return call?.id ?? this.make({ name }, path);
  }
}
