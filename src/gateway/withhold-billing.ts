import type { Conversation } from '../conversation/conversation.ts';
import type { JsonValue } from '../conversation/json.ts';
import {
  BILLING_WORD,
  type CutInstructions,
  cutBillingLine,
  dropBillingLine,
} from '../dialects/messages/billing-line.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';
import type { Surface } from '../upstream/provider.ts';
import type { Call } from './call.ts';

const INSTRUCTIONS = new WordTable(['system']);

/**
 * Claude Code's line for Anthropic's billing goes to Anthropic's own API and to nobody else (`messages/billing-line.ts`).
 *
 * @param body the bytes that are to go on
 * @returns `undefined` where they may go on as they are
 */
export function withholdBilling({ door }: Call, surface: Surface, body: Buffer): CutInstructions | undefined {
  if (door.dialect.name !== 'messages' || surface.readsBilling || !body.includes(BILLING_WORD))
    return undefined;
  const { system: place } = findTopLevelFields(body, INSTRUCTIONS);
  return place && cutBillingLine(parseField(body, place, 'system') as JsonValue);
}

/** The same of what is to be encoded: gives what is left out, in the caller's words. */
export function withoutBilling({ door }: Call, surface: Surface, conversation: Conversation): string[] {
  if (door.dialect.name !== 'messages' || surface.readsBilling) return [];
  const place = dropBillingLine(conversation);
  return place === undefined ? [] : [place];
}
