import type { QuirkedChat, RewrittenBody } from '../../src/dialects/chat/quirked-chat.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';

/** A chat request as a provider takes it; the gateway finds the fields at admission. */
export function rewriteRequest(quirked: QuirkedChat, body: Buffer, model: string): RewrittenBody {
  return quirked.rewriteRequest(body, findTopLevelFields(body, quirked.wantedFields), model);
}
