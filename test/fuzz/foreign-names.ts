import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { HELD_FIELDS, type HeldForm } from '../../src/dialects/held-fields.ts';
import type { Random } from './random.ts';

/** What another tenant has at every provider: no body that a provider gets for a limited tenant may hold it. */
export const FOREIGN = 'held-by-another-tenant';

/** Where a field that does not stand at the top can stand. */
const PLACES: Record<CallerDialectName, (field: JsonObject) => JsonObject> = {
  chat: (field) => ({ audio: { format: 'mp3', ...field }, extra: [field] }),
  responses: (field) => ({ tools: [{ type: 'code_interpreter', ...field }] }),
  messages: (field) => ({ extra: { source: field } }),
  gemini: (field) => ({ tools: [{ retrieval: field }] }),
};

const ID: JsonValue[] = [FOREIGN, { id: FOREIGN }, [FOREIGN]];

/** How each form names it. What is in no form names nothing. */
const VALUES: Record<HeldForm, JsonValue[]> = {
  id: ID,
  object: [{ id: FOREIGN }],
  continued: [{ previous_message_id: FOREIGN }],
  address: [`gs://${FOREIGN}`, { url: `ms://${FOREIGN}` }],
  whole: ID,
};

/** The same request, naming in one of the ways that its dialect has what is another tenant's. */
export function nameForeign(random: Random, dialect: CallerDialectName, request: JsonObject): JsonObject {
  // A token by which an answer is gone on with is as good as the words that it stands for: one that was never seen goes its way.
  const fields = Object.entries(HELD_FIELDS[dialect].fields).filter(
    ([, { kind }]) => kind !== 'continuation',
  );
  const [key, { form, top }] = random.pick(fields);
  const field = { [key]: random.pick(VALUES[form]) };
  return { ...request, ...(top ? field : PLACES[dialect](field)) };
}
