import { createHash } from 'node:crypto';
import { appendAll } from '../../conversation/append-all.ts';
import type { Choice, Completion } from '../../conversation/completion.ts';
import type { Conversation, ReasoningRequest } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { parameterName } from '../../dialects/parameters.ts';
import { makeInstance } from './json-instance.ts';
import { type LastTurn, readLastTurn } from './last-turn.ts';
import { limitOutput, type WrittenPart } from './output-limits.ts';
import { planToolCalls } from './tool-calls.ts';
import { countUsage } from './usage.ts';

/** As many as OpenAI's API gives. */
const MAX_CHOICES = 128;

const REASONING = 'I am an echo. I do not think, I repeat what was said last.';

/**
 * The built-in model: it answers every conversation by repeating what was said last, and says that it does. The
 * same conversation always gets the same answer; nothing but it decides.
 *
 * - To text it answers `Echo: TEXT`, to tool results with what the tools answered.
 * - It calls the tools whose names the user's last message says, or that it must call.
 * - JSON that was asked for is an instance of the schema, or `{"echo": TEXT}`.
 * - Asked to reason, it says why it does not.
 * - Stop sequences, output limit and number of choices are kept. Its tokens are words.
 *
 * What steers sampling has no effect, because nothing is sampled.
 *
 * @throws GatewayError `invalid_request` for what cannot be answered so.
 */
export function answerConversation(conversation: Conversation): Completion {
  const turn = readLastTurn(conversation);
  const count = readCount(conversation, 'n', MAX_CHOICES) ?? 1;
  readCount(conversation, 'maxOutputTokens', Number.MAX_SAFE_INTEGER);
  const choices = Array.from({ length: count }, (_, index) => writeChoice(conversation, turn, index));
  return {
    id: `chatcmpl-echo-${digestOf(conversation)}`,
    model: conversation.model,
    choices,
    usage: countUsage(conversation, choices),
  };
}

/** @throws GatewayError `invalid_request` where the parameter is no whole number from 1 on. */
function readCount(
  conversation: Conversation,
  key: 'n' | 'maxOutputTokens',
  most: number,
): number | undefined {
  const value = conversation.parameters[key];
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)) return value;
  const name = parameterName(conversation, key);
  throw invalidRequest(`'${name}' must be a whole number from 1 to ${most}.`, name, 'invalid_value');
}

function writeChoice(conversation: Conversation, turn: LastTurn, index: number): Choice {
  const parts: WrittenPart[] = [];
  if (asksForReasoning(conversation.reasoning)) parts.push({ type: 'reasoning', text: REASONING });
  const calls = planToolCalls(conversation, turn, index);
  if (calls.length > 0) appendAll(parts, calls);
  else parts.push({ type: 'text', text: writeText(conversation, turn) });
  return { index, ...limitOutput(parts, conversation.parameters) };
}

function asksForReasoning(reasoning: ReasoningRequest | undefined): boolean {
  if (!reasoning || reasoning.includeText === false) return false;
  const { effort = 'none', budgetTokens = 0 } = reasoning;
  return effort !== 'none' || budgetTokens !== 0;
}

function writeText(conversation: Conversation, turn: LastTurn): string {
  const said = turn.toolAnswers ?? turn.userText;
  const format = conversation.responseFormat ?? { type: 'text' };
  switch (format.type) {
    case 'text':
      return `Echo: ${said}`;
    case 'json_object':
      return JSON.stringify({ echo: said });
    case 'json_schema':
      return JSON.stringify(makeInstance(format.schema, said, 'response_format.json_schema.schema'));
    default:
      return format satisfies never;
  }
}

/** Whether it is streamed makes no other answer. */
function digestOf(conversation: Conversation): string {
  const asked = JSON.stringify({ ...conversation, stream: undefined });
  return createHash('sha256').update(asked).digest('hex').slice(0, 24);
}
