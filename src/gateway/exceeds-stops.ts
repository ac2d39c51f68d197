import { mostStops } from '../dialects/chat/model-traits.ts';
import { parseField } from '../dialects/request-fields.ts';
import type { Target } from '../routing/target.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { namedModel } from '../upstream/named-model.ts';
import type { Call } from './call.ts';

/**
 * Whether a call in the words of chat names more stop sequences than its target takes there: its answer must be read, to be cut at the others.
 * Other dialects take all that a call in their words may name.
 */
export function exceedsStops({ door, body, spans }: Call, target: Target, { quirked }: Endpoint): boolean {
  const place = spans['stop'];
  if (!place || door.dialect.name !== 'chat' || door.operation !== 'generate') return false;
  const { upstream, model } = target;
  const most = Math.min(
    mostStops(namedModel(upstream.declaration, 'chat', model)),
    quirked?.mostStops(model) ?? Number.POSITIVE_INFINITY,
  );
  if (most === Number.POSITIVE_INFINITY) return false;
  const stop = parseField(body, place, 'stop');
  if (typeof stop === 'string') return most === 0;
  // An empty list is one, too, where none is taken.
  return Array.isArray(stop) && (most === 0 || stop.length > most);
}
