import { listDormantIn, NOT_IN_EFFECT } from '../../config/dormant.ts';
import type { EntryKind } from '../../control/entry.ts';
import type { AdminRequest } from './admin-door.ts';

/** Where entries of a kind stand in a configuration, as patterns of its fields begin. */
const PLACES: Partial<Record<EntryKind, string>> = {
  models: 'models.*.',
  providers: 'providers.*.',
  tenants: 'tenants.*.',
  keys: 'tenants.*.keys[].',
};

/** What an answer adds for fields of the body that do nothing yet. */
export interface Warnings {
  warnings?: string[];
}

/** Of an entry that was changed. An event notes them, too: whoever made the change may be a program. */
export function warnOfEntry(
  { parts, body, author }: Pick<AdminRequest, 'parts' | 'body' | 'author'>,
  kind: EntryKind,
  name: string,
): Warnings {
  const place = PLACES[kind];
  const fields = place === undefined ? [] : listDormantIn(body, place);
  if (fields.length === 0) return {};
  parts.events.note('not_in_effect', 'warning', `Fields of ${kind}/${name} are not in effect yet.`, {
    kind,
    name,
    fields,
    by: author,
  });
  return { warnings: fields.map(tell) };
}

/** Of a whole document. */
export function warnOfDocument(document: unknown): Warnings {
  const fields = listDormantIn(document);
  return fields.length === 0 ? {} : { warnings: fields.map(tell) };
}

function tell(field: string): string {
  return `${field}: ${NOT_IN_EFFECT}`;
}
