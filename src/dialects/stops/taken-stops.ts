import type { Conversation } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { parameterName } from '../parameters.ts';

/** A conversation with the stop sequences that its target takes. */
export interface TakenStops {
  conversation: Conversation;
  /** The others: the gateway cuts the answer at them by itself (`cut-answers.ts`). `undefined`: there are none. */
  cutAt?: string[];
}

/** What is looked for takes memory while the answer comes. No API takes nearly as much. */
const MOST_CHARACTERS = 10_000;

/**
 * Takes out of a conversation what its target does not take of the stop sequences. Empty ones say nothing.
 *
 * @param most how many of them it takes
 * @param isTaken whether it takes one at all
 * @throws GatewayError `invalid_request` where the others are too long to be looked for
 */
export function withTakenStops(
  conversation: Conversation,
  most: number,
  isTaken: (sequence: string) => boolean = () => true,
): TakenStops {
  const { stop = [], ...others } = conversation.parameters;
  const said = stop.filter((sequence) => sequence !== '');
  const taken = said.filter(isTaken).slice(0, most);
  if (taken.length === said.length && stop.length <= most) return { conversation };
  const kept = new Set(taken);
  const cutAt = said.filter((sequence) => !kept.has(sequence));
  const characters = cutAt.reduce((sum, { length }) => sum + length, 0);
  if (characters > MOST_CHARACTERS) throw tooLong(conversation);
  const parameters = taken.length > 0 ? { ...others, stop: taken } : others;
  return { conversation: { ...conversation, parameters }, ...(cutAt.length > 0 && { cutAt }) };
}

function tooLong(conversation: Conversation): Error {
  const name = parameterName(conversation, 'stop');
  return invalidRequest(
    `'${name}' holds more than the model this call goes to takes, and more than ${MOST_CHARACTERS} characters beyond that, which is all that the gateway looks for in an answer by itself. Send fewer or shorter ones, or choose another model.`,
    name,
    'unsupported_parameter',
  );
}

/** Claude refuses a sequence of nothing but white space. */
export function isVisible(sequence: string): boolean {
  return sequence.trim() !== '';
}
