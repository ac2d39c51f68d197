import type { Conversation, Message, ReasoningRequest } from '../conversation/conversation.ts';
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
    return endpoint !== undefined && continuedPath(endpoint, model) !== undefined;
  } catch (thrown) {
    // A name that leads nowhere: whoever calls it is told.
    if (thrown instanceof GatewayError) return false;
    throw thrown;
  }
}

/**
 * Where a begun answer is gone on with; `undefined` where it is not. Claude does it with a message of the assistant at the end, but for its
 * newer models; of others a quirk says so.
 */
export function continuedPath({ dialect, quirked, path }: Endpoint, model: string): string | undefined {
  const isClaude = dialect.name === 'messages' && /claude/i.test(model) && modelTraits(model).prefill;
  if (isClaude || quirked?.continuation !== undefined) return path;
  return quirked?.continuedAt?.(path);
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
  const { quirked } = endpoint;
  if (given === undefined || continuedPath(endpoint, model) === undefined || !isPlain(conversation)) {
    throw new GatewayError('invalid_request', 'What has begun of this answer cannot be gone on with.');
  }
  const message: Message = { role: 'assistant', parts: [{ type: 'text', text: given }] };
  if (quirked?.continuedAt) message.extra = { dialect: 'chat', fields: { prefix: true } };
  conversation.messages.push(message);
  const { maxOutputTokens } = conversation.parameters;
  if (maxOutputTokens !== undefined) {
    const left = Math.max(maxOutputTokens - outputTokens(spentBy(call)), 1);
    conversation.parameters = { ...conversation.parameters, maxOutputTokens: left };
  }
  // Mistral repeats the text of `prefix` (its guide "Prefix"); with Moonshot's `partial` ("Partial mode") and at Claude it is not repeated.
  begun.goOn(quirked?.continuation === 'prefix');
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
