import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { declarationOf, expectedOf } from '../../test/sdk/matrix/expected.ts';
import { FEATURE_NAMES, readOutcomes } from '../../test/sdk/matrix/outcomes.ts';
import { PROVIDER_KINDS, type ProviderKind } from '../../test/sdk/matrix/providers.ts';
import { code, Footnotes, table } from './markdown.ts';

const TITLES: Record<CallerDialectName, string> = {
  chat: 'Chat Completions (`/v1/chat/completions`)',
  responses: 'Responses (`/v1/responses`)',
  messages: 'Messages (`/v1/messages`)',
  gemini: 'Gemini (`/v1beta/models/MODEL:generateContent`)',
};

/** Providers × features, as seen through one door. */
export function renderDoor(door: CallerDialectName): string {
  const notes = new Footnotes();
  const rows = PROVIDER_KINDS.map((kind) => [
    titleOf(kind),
    ...FEATURE_NAMES.map((feature) => {
      const outcome = readOutcomes()[door][kind.name]?.[feature] ?? '';
      const [word = '', what] = outcome.split(': ');
      const { reason } = expectedOf(kind, door, feature);
      if (reason === undefined) return word;
      const named = what === undefined ? '' : `${what.split(', ').map(code).join(', ')}: `;
      return word + notes.mark(named + reason);
    }),
  ]);
  const parts = [`## ${TITLES[door]}`, table(['provider', ...FEATURE_NAMES], rows)];
  return [...parts, notes.lines.join('\n')].join('\n\n');
}

export function titleOf({ adapter, models }: ProviderKind): string {
  const { title } = declarationOf(adapter);
  return models === undefined ? title : `${title}, ${models}`;
}
