import type { Conversation, Message, Part, ToolResultPart } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { callerWord, partField, participantField, partPaths, resultPartPath } from '../caller-words.ts';
import { CLOSING_WORDS, OPENING_WORDS } from '../filler-words.ts';
import { ToolCallIds, unpaired } from '../messages/tool-call-ids.ts';
import { emulatedName } from '../reserved-tools.ts';
import type { ModelTraits } from './models.ts';
import { encodePart, type PartEncoding } from './parts.ts';
import { overlay, ownFields } from './proto.ts';
import { isGivenToolCallId } from './tool-call-ids.ts';
import { legalFunctionName } from './tool-names.ts';
import { encodeToolResult } from './tool-results.ts';

/**
 * Stands in for a thought signature that is not to be had (calls of another model, a history that lost it). Gemini 3
 * refuses the first function call of each step of the current turn without one.
 *
 * Source: Gemini API docs, "Thought signatures", FAQ.
 */
const SKIP_SIGNATURE_CHECK = 'skip_thought_signature_validator';

export interface EncodedContents {
  contents: JsonObject[];
  systemInstruction: JsonObject | undefined;
  dropped: string[];
}

/** One entry of `contents`: what consecutive messages of one side say together. */
interface Turn {
  role: 'user' | 'model';
  /** Results stand before everything else that follows a model turn, in the order of their calls. */
  results: Result[];
  parts: JsonObject[];
  /** The user said something, rather than only a tool: the model's current turn begins after it. */
  prompt: boolean;
  rest: JsonObject;
}

/** `beside`: media that the model takes behind the results alone. */
interface Result {
  ordinal: number;
  name: string;
  part: JsonObject;
  beside: JsonObject[];
}

interface Call {
  name: string;
  ordinal: number;
}

/**
 * A conversation's messages as `contents` and `systemInstruction`: roles alternate, the user's comes first.
 *
 * @param instruction what the gateway itself has to tell the model
 */
export function encodeContents(
  conversation: Conversation,
  traits: ModelTraits,
  instruction?: string,
): EncodedContents {
  const encoder = new ContentsEncoder(conversation, traits);
  for (const [index, message] of conversation.messages.entries()) encoder.add(message, index);
  if (instruction !== undefined) encoder.instruct(instruction);
  return encoder.finish();
}

class ContentsEncoder {
  readonly #conversation: Conversation;
  readonly #traits: ModelTraits;
  readonly #system: JsonObject[] = [];
  #systemRest: JsonObject = {};
  readonly #turns: Turn[] = [];
  /** The newest of each id: servers that count the calls of each answer give the same ids again. */
  readonly #calls = new Map<string, Call>();
  #callCount = 0;
  readonly #dropped = new Set<string>();
  readonly #pairs: ToolCallIds;

  constructor(conversation: Conversation, traits: ModelTraits) {
    this.#conversation = conversation;
    this.#traits = traits;
    this.#pairs = new ToolCallIds({ conversation, isNative: conversation.dialect === 'gemini' });
  }

  add(message: Message, index: number): void {
    const paths = partPaths(this.#conversation, index);
    // The name of a tool message is that of the tool, which its call says.
    if (message.name !== undefined && message.role !== 'tool')
      this.#dropped.add(participantField(this.#conversation, index));
    for (const [at, part] of message.parts.entries()) {
      if ('cacheHint' in part && part.cacheHint)
        this.#dropped.add(partField(this.#conversation, part, 'cacheHint'));
      this.#dropFileName(part, paths[at] ?? '');
      if (part.type === 'image' && part.detail !== undefined && part.detail !== 'auto')
        this.#dropped.add(partField(this.#conversation, part, 'imageDetail'));
    }
    switch (message.role) {
      case 'system':
      case 'developer':
        this.#addSystem(message, paths);
        break;
      case 'user':
        this.#addUser(message, paths);
        break;
      case 'assistant':
        this.#addAssistant(message, index, paths);
        break;
      case 'tool':
        this.#addResults(message, index, paths);
        break;
      default:
        message.role satisfies never;
    }
  }

  instruct(text: string): void {
    this.#system.push({ text });
  }

  /** Only Vertex takes a name, and only for some media. */
  #dropFileName(part: Part, path: string): void {
    if (part.type !== 'file' || part.filename === undefined) return;
    this.#dropped.add(`${path}.${callerWord(this.#conversation, 'fileName')}`);
  }

  finish(): EncodedContents {
    // Whether a model goes on from a call at the very end is for the API to say.
    if (this.#turns.at(-1)?.role === 'user') this.#pairs.closeTurn();
    const turns = this.#turns.filter((turn) => turn.results.length + turn.parts.length > 0);
    if (this.#traits.signaturesRequired) signCurrentTurn(turns);
    const system = this.#traits.systemInstruction ? this.#system : [];
    if (system !== this.#system) prependToUser(turns, this.#system);
    // The first content must be the user's.
    const isInstructed = turns.length === 0 && system.length > 0;
    if (isInstructed || turns[0]?.role === 'model') prependToUser(turns, [{ text: OPENING_WORDS }]);
    if (this.#isToBeClosed(turns.at(-1))) turns.push(userTurn([{ text: CLOSING_WORDS }]));
    if (turns.length === 0 && this.#conversation.dialect !== 'gemini') throw this.#saysNothing();
    return {
      contents: turns.map(writeTurn),
      systemInstruction: system.length > 0 ? { parts: system, ...this.#systemRest } : undefined,
      dropped: [...this.#dropped],
    };
  }

  /** Whether the model's own words would be the last turn where it does not go on from them. Of a call at the end the API says what is missing. */
  #isToBeClosed(last: Turn | undefined): boolean {
    if (last?.role !== 'model' || this.#traits.prefill || this.#conversation.dialect === 'gemini')
      return false;
    return !last.parts.some((part) => isObject(part['functionCall']));
  }

  /** Order among the other messages cannot be said: system texts go first, in their own order. */
  #addSystem(message: Message, paths: readonly string[]): void {
    this.#systemRest = { ...this.#systemRest, ...ownFields(message.extra) };
    const isNative = this.#conversation.dialect === 'gemini';
    for (const [at, part] of message.parts.entries()) {
      const own =
        isNative && part.type !== 'text' ? encodePart(part, this.#partEncoding(paths[at])) : undefined;
      if (own) {
        this.#system.push(own);
        continue;
      }
      if (part.type !== 'text') {
        const path = paths[at];
        throw invalidRequest(`'${path}': instructions to a Gemini model can only be text.`, path);
      }
      if (part.text !== '') this.#system.push({ text: part.text, ...ownFields(part.extra) });
    }
  }

  #addUser(message: Message, paths: readonly string[]): void {
    const turn = this.#turn('user', message);
    turn.prompt = true;
    this.#encodeParts(turn, message, paths);
    // What is wrong with it is for the API to say to a caller of its own dialect; it refuses it of others.
    const isNative = this.#conversation.dialect === 'gemini';
    if (isNative && turn.results.length + turn.parts.length === 0) turn.parts.push({ text: '' });
  }

  #addAssistant(message: Message, index: number, paths: readonly string[]): void {
    if (this.#turns.at(-1)?.role === 'user') this.#pairs.closeTurn();
    for (const part of message.parts) {
      if (part.type !== 'tool_call') continue;
      this.#pairs.call(part.id, index);
      this.#calls.set(part.id, { name: emulatedName(part), ordinal: this.#callCount });
      this.#callCount += 1;
    }
    this.#encodeParts(this.#turn('model', message), message, paths);
  }

  #encodeParts(turn: Turn, message: Message, paths: readonly string[]): void {
    for (const [at, part] of message.parts.entries()) {
      const wire = encodePart(part, this.#partEncoding(paths[at]));
      if (wire && !isEmptyText(wire)) turn.parts.push(wire);
    }
  }

  #partEncoding(path = ''): PartEncoding {
    const isNative = this.#conversation.dialect === 'gemini';
    return {
      callIds: this.#traits.callIds,
      unsignedReasoning: isNative,
      legalNames: !isNative,
      untypedMedia: isNative,
      path,
    };
  }

  #addResults(message: Message, index: number, paths: readonly string[]): void {
    const turn = this.#turn('user', message);
    for (const [at, part] of message.parts.entries()) {
      if (part.type === 'tool_result') this.#addResult(turn, part, index, paths[at] ?? '');
    }
  }

  #addResult(turn: Turn, result: ToolResultPart, index: number, resultPath: string): void {
    const call = this.#calls.get(result.callId);
    const name = call?.name ?? result.name;
    if (name === undefined) {
      const place = { type: 'tool_result' as const, id: result.callId, message: index };
      throw unpaired(
        this.#conversation,
        place,
        `is of the tool call '${result.callId}', but no call before it has this id.`,
      );
    }
    this.#pairs.answer(result.callId, index);
    const pathOf = (inner: number) =>
      resultPartPath(this.#conversation, resultPath, inner, result.parts[inner]);
    for (const [inner, part] of result.parts.entries()) {
      if (part.type === 'file') this.#dropFileName(part, pathOf(inner));
    }
    const given = this.#traits.callIds && isGivenToolCallId(result.callId);
    const calledName = this.#conversation.dialect === 'gemini' ? name : legalFunctionName(name);
    const { functionResponse, beside } = encodeToolResult(result, {
      id: given ? result.callId : undefined,
      name: calledName,
      mediaInside: this.#conversation.dialect === 'gemini' ? 'caller' : this.#traits.mediaInToolResults,
      pathOf,
    });
    const ordinal = call?.ordinal ?? Number.POSITIVE_INFINITY;
    const part = overlay({ functionResponse }, ownFields(result.extra));
    turn.results.push({ ordinal, name: calledName, part, beside });
  }

  #turn(role: Turn['role'], message: Message): Turn {
    const last = this.#turns.at(-1);
    const rest = ownFields(message.extra);
    // A turn that says nothing (foreign reasoning alone) must not keep its neighbours apart.
    if (last && last.results.length + last.parts.length === 0) this.#turns.pop();
    const before = this.#turns.at(-1);
    if (before?.role === role) {
      before.rest = { ...before.rest, ...rest };
      return before;
    }
    const turn: Turn = { role, results: [], parts: [], prompt: false, rest };
    this.#turns.push(turn);
    return turn;
  }

  #saysNothing(): Error {
    const word = callerWord(this.#conversation, 'messages');
    return invalidRequest(`'${word}' holds nothing that could be answered.`, word, 'invalid_value');
  }
}

/** Text without words and without a signature: some models refuse it, none needs it. */
function isEmptyText(wire: JsonObject): boolean {
  return wire['text'] === '' && wire['thoughtSignature'] === undefined;
}

function writeTurn({ role, results, parts, rest }: Turn): JsonObject {
  const ordered = results.toSorted((a, b) => a.ordinal - b.ordinal);
  const media = ordered.flatMap(({ name, beside }, index): JsonObject[] => {
    if (beside.length === 0) return [];
    // Several calls may be of one tool.
    const place = ordered.length > 1 ? ` (result ${index + 1} of ${ordered.length})` : '';
    return [{ text: `Returned by the tool call ${name}${place}:` }, ...beside];
  });
  return { role, parts: [...ordered.map(({ part }) => part), ...media, ...parts], ...rest };
}

function prependToUser(turns: Turn[], parts: JsonObject[]): void {
  if (parts.length === 0) return;
  const first = turns[0];
  if (first?.role === 'user') first.parts = [...parts, ...first.parts];
  else turns.unshift(userTurn([...parts]));
}

function userTurn(parts: JsonObject[]): Turn {
  return { role: 'user', results: [], parts, prompt: true, rest: {} };
}

/** Gives the first call of each step of the current turn the stand-in, where it has no signature. */
function signCurrentTurn(turns: Turn[]): void {
  const start = turns.findLastIndex((turn) => turn.prompt);
  for (const turn of turns.slice(start + 1)) {
    const index = turn.parts.findIndex((part) => isObject(part['functionCall']));
    const call = turn.parts[index];
    if (call && call['thoughtSignature'] === undefined) {
      turn.parts[index] = { ...call, thoughtSignature: SKIP_SIGNATURE_CHECK };
    }
  }
}
