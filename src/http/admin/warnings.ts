import { listDormantIn, NOT_IN_EFFECT } from '../../config/dormant.ts';
import type { EntryKind } from '../../control/entry.ts';
import type { Outcome } from '../../control/revision-maker.ts';
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

type Warned = Pick<AdminRequest, 'parts' | 'body' | 'author'>;

/** How many fields an event names. */
const MOST_NAMED = 20;

/** Of an entry that was sent. Where that changed anything an event notes them, too: whoever made the change may be a program. */
export function warnOfEntry(
  { parts, body, author }: Warned,
  kind: EntryKind,
  name: string,
  { changes }: Pick<Outcome, 'changes'>,
): Warnings {
  const place = PLACES[kind];
  const fields = place === undefined ? [] : listDormantIn(body, place);
  if (fields.length === 0) return {};
  if (changes.length === 0) return { warnings: fields.map(tell) };
  parts.events.note('not_in_effect', 'warning', `Fields of ${kind}/${name} are not in effect yet.`, {
    kind,
    name,
    fields,
    by: author,
  });
  return { warnings: fields.map(tell) };
}

/** Of a whole document; `changes`: what it has changed. */
export function warnOfDocument(
  { parts, body, author }: Warned,
  { changes }: Pick<Outcome, 'changes'>,
): Warnings {
  const fields = listDormantIn(body);
  if (fields.length === 0) return {};
  if (changes.length > 0) {
    parts.events.note('not_in_effect', 'warning', 'Fields of what was applied are not in effect yet.', {
      count: fields.length,
      fields: fields.slice(0, MOST_NAMED),
      by: author,
    });
  }
  return { warnings: fields.map(tell) };
}

function tell(field: string): string {
  return `${field}: ${NOT_IN_EFFECT}`;
}
