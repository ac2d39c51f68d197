import type { Conversation, ReasoningRequest } from '../conversation/conversation.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { addUsage, NO_USAGE, outputTokens, type Usage } from '../conversation/usage.ts';
import { modelTraits } from '../dialects/messages/model-traits.ts';
import { type Endpoint, findEndpoint } from '../upstream/endpoint.ts';
import type { BegunAnswer } from './begun-answer.ts';
import type { Call } from './call.ts';
import type { PlannedAttempt } from './plan.ts';

/** Whether a place goes on with a begun answer, as far as its provider documents that. */
export function mayGoOnAt({ door, stream }: Call, { target, account }: PlannedAttempt): boolean {
  const { operation, dialect } = door;
  const { upstream, model } = target;
  const request = { operation, model, stream, dialect: dialect.name };
  try {
    const endpoint = findEndpoint(upstream, account, request);
    return endpoint !== undefined && goesOn(endpoint, model);
  } catch (thrown) {
    // A name that leads nowhere: whoever calls it is told.
    if (thrown instanceof GatewayError) return false;
    throw thrown;
  }
}

/** Claude goes on with a message of the assistant at the end, but for its newer models; of others a quirk says so. */
function goesOn({ dialect, quirked }: Endpoint, model: string): boolean {
  if (dialect.name === 'messages') return /claude/i.test(model) && modelTraits(model).prefill;
  return quirked?.continuation !== undefined;
}

/**
 * Has a conversation go on from what its client has of the answer, with as much output as is left to it.
 *
 * @throws GatewayError `invalid_request` where that cannot be
 */
export function goOnFrom(
  call: Call,
  begun: BegunAnswer,
  conversation: Conversation,
  endpoint: Endpoint,
  model: string,
): void {
  const { given } = begun;
  if (given === undefined || !goesOn(endpoint, model) || !isPlain(conversation)) {
    throw new GatewayError('invalid_request', 'What has begun of this answer cannot be gone on with.');
  }
  conversation.messages.push({ role: 'assistant', parts: [{ type: 'text', text: given }] });
  const { maxOutputTokens } = conversation.parameters;
  if (maxOutputTokens !== undefined) {
    const left = Math.max(maxOutputTokens - outputTokens(spentBy(call)), 1);
    conversation.parameters = { ...conversation.parameters, maxOutputTokens: left };
  }
  // Mistral repeats the text of `prefix` (its guide "Prefix"); with Moonshot's `partial` ("Partial mode") and at Claude it is not repeated.
  begun.goOn(endpoint.quirked?.continuation === 'prefix');
}

/** What all attempts of a call have used up to now. */
export function spentBy({ attempts, usage: current }: Pick<Call, 'attempts' | 'usage'>): Usage {
  const aside = attempts.reduce((sum, { usage }) => (usage ? addUsage(sum, usage) : sum), NO_USAGE);
  return current ? addUsage(aside, current) : aside;
}

/** One answer, of text alone, that the model begins itself. Thinking and formats do not go together with a begun answer (Anthropic). */
function isPlain({ messages, responseFormat, reasoning, parameters }: Conversation): boolean {
  if (messages.at(-1)?.role === 'assistant' || (parameters.n ?? 1) !== 1) return false;
  return (responseFormat?.type ?? 'text') === 'text' && !(reasoning && asksToThink(reasoning));
}

function asksToThink({ effort, budgetTokens }: ReasoningRequest): boolean {
  return effort === undefined ? budgetTokens !== undefined && budgetTokens !== 0 : effort !== 'none';
}
