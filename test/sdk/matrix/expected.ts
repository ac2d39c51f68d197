import type { CallerDialectName } from '../../../src/dialects/dialect.ts';
import { loadDeclarations } from '../../../src/upstream/load-declarations.ts';
import type { ProviderDeclaration } from '../../../src/upstream/provider.ts';
import type { Feature } from '../features.ts';
import { EXCEPTIONS, type Exception } from './exceptions.ts';
import type { ProviderKind } from './providers.ts';

export interface Expectation {
  outcome: string;
  /** Why the outcome is another than it is elsewhere. */
  reason?: string;
}

const declarations = new Map((await loadDeclarations()).map((each) => [each.name, each]));

/** What must become of a cell: the provider's own dialect at its door and a translation elsewhere, unless it is an exception. */
export function expectedOf(kind: ProviderKind, door: CallerDialectName, feature: Feature): Expectation {
  const [exception, ...more] = exceptionsOf(kind, door, feature);
  if (more.length > 0) throw new Error(`${kind.name}, ${door}, ${feature} is an exception twice`);
  const outcome = exception?.outcome[door];
  if (exception && outcome !== undefined) return { outcome, reason: exception.reason };
  return { outcome: usualOutcome(kind, door) };
}

/** What becomes of a cell that is no exception. */
export function usualOutcome(kind: ProviderKind, door: CallerDialectName): 'native' | 'translated' {
  return speaks(kind, door) ? 'native' : 'translated';
}

function exceptionsOf(kind: ProviderKind, door: CallerDialectName, feature: Feature): Exception[] {
  return EXCEPTIONS.filter(
    ({ providers, features, outcome }) =>
      providers.includes(kind.name) && features.includes(feature) && outcome[door] !== undefined,
  );
}

/** Whether the provider's declaration has a model of this kind in the door's own dialect. */
function speaks({ adapter, model }: ProviderKind, door: CallerDialectName): boolean {
  const { dialect, alsoSpeaks = [] } = declarationOf(adapter);
  const only = alsoSpeaks.find(({ models }) => models?.(model));
  if (only) return only.dialect === door;
  return dialect === door || alsoSpeaks.some((surface) => !surface.models && surface.dialect === door);
}

export function declarationOf(name: string): ProviderDeclaration {
  const declaration = declarations.get(name);
  if (!declaration) throw new Error(`there is no provider '${name}'`);
  return declaration;
}
