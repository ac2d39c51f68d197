import { appendAll } from '../../conversation/append-all.ts';
import type { Message, Part, ReasoningPart } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { ownFields } from './extra.ts';
import { ReasoningDetailWriter, unsealDetails } from './reasoning-details.ts';
import type { Target } from './target.ts';

/**
 * Which reasoning of a history reaches a provider as text: what a chat client said itself and no other provider has signed.
 * Signed or encrypted reasoning means nothing to a server that did not make it, nor does another dialect's, unless the server
 * wants its reasoning back: what is unsigned there can only be its own. One that demands it takes what another model thought.
 */
function isReadable({ text, signature, encrypted }: ReasoningPart, target: Target): boolean {
  // Without words there is nothing to take; a proof without a value tells that this history was refused for its reasoning.
  if (target.demandsReasoning && text !== '' && signature?.value !== '') return true;
  return (target.sameDialect || target.replaysReasoning) && !signature && !encrypted;
}

/** Fields of a message that its reasoning is written back in as it came. */
const REASONING_FIELDS = ['reasoning', 'reasoning_details'];

/** Whether a reasoning part reaches the provider. */
export function isWritten(part: ReasoningPart, { extra }: Message, target: Target): boolean {
  if (takesDetails(target) && (isSealed(part) || target.sameDialect)) return true;
  return isReadable(part, target) || REASONING_FIELDS.some((field) => ownFields(extra)[field] !== undefined);
}

/** Whether what is signed in this dialect's own details goes back in them. */
export function takesDetails({ reasoning }: Target): boolean {
  return reasoning === 'reasoning_details';
}

function isSealed({ encrypted }: ReasoningPart): boolean {
  return encrypted?.dialect === 'chat';
}

/** Whether a reasoning part stands in the content, among the text: Mistral's form of it. */
export function isThinkingChunk(part: ReasoningPart, target: Target): boolean {
  if (target.sameDialect && ownFields(part.extra)['type'] === 'thinking') return true;
  return target.reasoning === 'thinking' && isReadable(part, target);
}

/** The fields of a message that its reasoning goes back in, beside its content. */
export function reasoningFields({ parts, extra }: Message, target: Target): JsonObject {
  const fields = ownFields(extra);
  const reasoning = parts.filter((part) => part.type === 'reasoning');
  const told = reasoning.filter((part) => !isThinkingChunk(part, target) && isTold(part, target));
  const said = told.map((part) => part.text);
  // As it came it is among the fields of the message already.
  const text = 'reasoning' in fields ? '' : said.join('');
  const details = takesDetails(target) ? writeDetails(parts, fields, target) : [];
  return {
    ...(text === '' ? {} : { [takesDetails(target) ? 'reasoning' : 'reasoning_content']: text }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
  };
}

function isTold(part: ReasoningPart, target: Target): boolean {
  return isReadable(part, target) || (takesDetails(target) && isSealed(part));
}

/** What is sealed as it came; what this dialect's client had of it in details, again in these. */
function writeDetails(parts: readonly Part[], fields: JsonObject, target: Target): JsonObject[] {
  const sealed = parts.flatMap((part) =>
    part.type === 'reasoning' && part.encrypted ? unsealDetails(part.encrypted) : [],
  );
  if (sealed.length > 0 || !target.sameDialect) return sealed;
  const writer = new ReasoningDetailWriter();
  const details: JsonObject[] = [];
  for (const part of parts) {
    if (part.type === 'reasoning') appendAll(details, writer.reasoning(part));
    else if (part.type === 'tool_call' && part.signature)
      details.push(writer.toolCall(part.id, part.signature));
    else if (part.type === 'text' && part.signature) details.push(writer.text(part.signature));
  }
  const unknown = fields['reasoning_details'];
  return Array.isArray(unknown) ? [...details, ...(unknown as JsonObject[])] : details;
}
