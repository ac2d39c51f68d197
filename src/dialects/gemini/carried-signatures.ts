import { appendAll } from '../../conversation/append-all.ts';
import {
  CARRIED_MARKER,
  CarriedIdReader,
  isDemandedBack,
  writeAllCarried,
} from '../../conversation/carried-reasoning.ts';
import type { Message, Part, ReasoningPart, ToolCallPart } from '../../conversation/conversation.ts';
import { placed, placeOf, rode } from '../places.ts';
import { isGivenToolCallId } from './tool-call-ids.ts';

/**
 * A client of this dialect sends a function call back with the `thoughtSignature` that it came with. So the reasoning
 * of other providers, which demand it back, travels there, in the form of the carried ids (`carried-reasoning.ts`) and
 * in base64: the field is one of bytes, and clients may decode and encode it.
 */
export const CARRIED_PREFIX = 'X19mbDFfX';

/** For a call of another provider with nothing to carry: Gemini must not get it unsigned, and how it does the encoder knows. */
const NOTHING_CARRIED = Buffer.from(`${CARRIED_MARKER}none`).toString('base64');

/** Writes the signatures of one turn's calls, going through its parts in order. */
export class CarriedSignatureWriter {
  #reasoning: ReasoningPart[] = [];
  /** Of parallel calls Gemini signs the first alone. */
  #hasOwn = false;
  /** The client is shown the reasoning, and sends it back by itself where no provider signed it. */
  readonly #isShown: boolean;

  constructor(isShown: boolean) {
    this.#isShown = isShown;
  }

  /** @returns the signature that a call gets, `undefined` where it has its own or needs none */
  add(part: Part): string | undefined {
    if (part.type === 'reasoning') {
      if ((isDemandedBack(part) || !this.#isShown) && !isOwn(part)) this.#reasoning.push(part);
      return undefined;
    }
    if (part.type !== 'tool_call') return undefined;
    if (isOwnCall(part)) this.#hasOwn = true;
    return this.#hasOwn ? undefined : this.#write(part);
  }

  #write({ signature }: ToolCallPart): string {
    const reasoning = this.#reasoning;
    this.#reasoning = [];
    const carried = writeAllCarried('', signature ? { reasoning, signature } : { reasoning });
    return carried === '' ? NOTHING_CARRIED : Buffer.from(carried).toString('base64');
  }
}

/** Whether Gemini itself made the call: it signed it, or gave it no id. Of parallel ones only the first shows it. */
export function isOwnCall({ id, signature }: ToolCallPart): boolean {
  return signature?.dialect === 'gemini' || !isGivenToolCallId(id);
}

function isOwn({ signature }: ReasoningPart): boolean {
  return signature?.dialect === 'gemini';
}

/**
 * Puts carried reasoning back where it stood: before its call, and that of a turn's first call before all that the turn
 * says (providers that sign want it there). What the client was shown of it goes.
 */
export function restoreCarriedReasoning(messages: Message[]): Message[] {
  const reader = new CarriedIdReader();
  return messages.map((message) => (message.role === 'assistant' ? restoreTurn(message, reader) : message));
}

function restoreTurn(message: Message, reader: CarriedIdReader): Message {
  if (!message.parts.some(isMarkedCall)) return message;
  const lead: ReasoningPart[] = [];
  const parts: Part[] = [];
  const carried = new Set<Part>();
  let calls = 0;
  for (const part of message.parts) {
    if (part.type === 'tool_call') {
      const reasoning = takeCarried(part, reader);
      appendAll(calls++ === 0 ? lead : parts, reasoning);
      for (const one of reasoning) carried.add(one);
    }
    parts.push(part);
  }
  const isReplaced = (part: Part) =>
    carried.size > 0 && part.type === 'reasoning' && !isDemandedBack(part) && !carried.has(part);
  const shown = parts.find(isReplaced);
  // Thoughts that the client was not shown are none that it sent.
  for (const part of carried) shown ? placed(part, placeOf(shown)) : rode(part);
  const restored = [...lead, ...parts.filter((part) => !isReplaced(part))];
  for (const part of restored) if (part.type === 'reasoning' && !isOwn(part)) FOREIGN_THOUGHTS.add(part);
  return placed({ ...message, parts: restored }, placeOf(message));
}

/** Thoughts of a turn in which another provider called a tool: Gemini must not get them as its own. */
const FOREIGN_THOUGHTS = new WeakSet<ReasoningPart>();

/** Whether another provider thought it, though no proof says so. */
export function isForeignThought(part: ReasoningPart): boolean {
  return FOREIGN_THOUGHTS.has(part);
}

function isMarkedCall(part: Part): boolean {
  return part.type === 'tool_call' && part.signature?.value.startsWith(CARRIED_PREFIX) === true;
}

/** Takes a carried signature off a call, which gets the one that it had from its provider, and gives the reasoning. */
function takeCarried(call: ToolCallPart, reader: CarriedIdReader): ReasoningPart[] {
  const value = call.signature?.value;
  if (!value?.startsWith(CARRIED_PREFIX)) return [];
  const { carried } = reader.read(Buffer.from(value, 'base64').toString('latin1'));
  // One that cannot be read is nobody's signature either.
  delete call.signature;
  if (carried?.signature) call.signature = rode(carried.signature);
  return carried?.reasoning ?? [];
}
