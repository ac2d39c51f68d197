import type { Conversation } from '../conversation/conversation.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import { InvalidOutput } from '../conversation/invalid-output.ts';
import type { Call } from './call.ts';

/** A longer answer is not sent back to its model. */
const MOST_CHARACTERS = 100_000;

/** Whether a model is asked again for an answer that cannot be used: so often as the door says, and only while nothing of it is with the client. */
export function mayRepair({ door, repairs }: Call, failure: GatewayError): failure is InvalidOutput {
  if (!(failure instanceof InvalidOutput) || failure.said === undefined) return false;
  return (repairs?.length ?? 0) < (door.repairs ?? 0) && failure.said.length <= MOST_CHARACTERS;
}

/** Puts each answer that could not be used behind a conversation, with what is wrong with it. */
export function askForRepair(answers: readonly InvalidOutput[], { messages }: Conversation): void {
  for (const { said = '', why } of answers) {
    // Providers refuse messages that say nothing.
    if (said.trim() !== '') messages.push({ role: 'assistant', parts: [{ type: 'text', text: said }] });
    const text = `This answer cannot be used: ${why}. Answer again, with the JSON alone, so that it fits its schema.`;
    messages.push({ role: 'user', parts: [{ type: 'text', text }] });
  }
}
