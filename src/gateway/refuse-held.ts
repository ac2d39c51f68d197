import { GatewayError } from '../conversation/gateway-error.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import type { HeldKind } from '../dialects/held-fields.ts';
import type { HeldReference } from '../dialects/held-references.ts';
import type { Call } from './call.ts';

const NAMES: Record<HeldKind, string> = {
  file: 'File',
  item: 'Item',
  audio: 'Audio',
  thread: 'Thread',
  continuation: 'Continuation',
  compared: 'Message',
  conversation: 'Conversation',
  container: 'Container',
  shared: 'Resource',
};

/**
 * In the words that the dialect's own provider has for it, and the same for what nobody has and what another tenant has.
 *
 * Sources: OpenAI and Anthropic (404), Gemini (403 for files that are not there or not the caller's).
 */
const REFUSALS: Record<CallerDialectName, (reference: HeldReference) => GatewayError> = {
  chat: ({ kind, id, path }) =>
    new GatewayError('not_found', `No such ${NAMES[kind]} object: ${id}. ${ADVICE[kind]}`, {
      param: path,
      code: 'object_not_found',
    }),
  responses: ({ kind, id, path }) =>
    new GatewayError('not_found', `${NAMES[kind]} with id '${id}' not found. ${ADVICE[kind]}`, {
      param: path,
      code: 'object_not_found',
    }),
  messages: ({ kind, id, path }) =>
    new GatewayError('not_found', `${NAMES[kind]} not found: ${id}. ${ADVICE[kind]}`, {
      param: path,
      ...(kind === 'thread' && { details: { error_code: 'thread_not_found' } }),
    }),
  gemini: ({ kind, id, path }) =>
    new GatewayError(
      'forbidden',
      `You do not have permission to access the ${NAMES[kind]} ${id} or it may not exist. ${ADVICE[kind]}`,
      { param: path },
    ),
};

const SEEN = 'What was not made through this gateway needs the permission for all models of its provider.';
const ADVICE: Record<HeldKind, string> = {
  file: SEEN,
  item: 'Answers to this tenant and the items that they held can be named, unless they were created with `store: false`. Send the item itself.',
  audio:
    'What a model said can be named for some time by the tenant that the answer was for. Send its transcript as text.',
  thread: 'Send the whole conversation with `thread: {"type": "create"}`.',
  compared: 'Requests are compared with one of the same tenant and account. Leave out `diagnostics`.',
  continuation:
    'A token is for the tenant whose answer came with it. Leave it out to have the answer from its beginning.',
  conversation: SEEN,
  container: SEEN,
  shared: SEEN,
};

/** How much of an id a refusal repeats: some are longer than any message should be. */
const SHOWN = 256;

/** What a caller is told who names what is not its own, as for an id that nobody has. */
export function heldNotFound(call: Call, reference: HeldReference): GatewayError {
  const { id } = reference;
  const shown = id.length > SHOWN ? `${id.slice(0, SHOWN)}…` : id;
  return REFUSALS[call.door.dialect.name]({ ...reference, id: shown });
}
