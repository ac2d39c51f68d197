import { GatewayError } from '../conversation/gateway-error.ts';
import type { Retirement, Route } from '../routing/target.ts';
import type { Call } from './call.ts';
import { headerText } from './name-dropped.ts';
import type { Snapshot } from './snapshot.ts';

/** Successors of successors are followed so far: names may lead in a circle. */
const MOST_HOPS = 8;

/**
 * The model that answers for a name: itself, or, once it is retired, its successor.
 *
 * @throws GatewayError `not_found` with 410 where calls are to end with the name
 */
export function followSuccessors(
  { routes }: Pick<Snapshot, 'routes'>,
  model: string,
  nowMs: number,
): { model: string; route: Route | undefined } {
  let name = model;
  for (let hops = 0; hops <= MOST_HOPS; hops++) {
    const route = routes.resolve(name);
    const { retirement } = route ?? {};
    if (!retirement || nowMs < retirement.atMs) return { model: name, route };
    const { goesOn, successor } = retirement;
    if (!goesOn || successor === undefined) throw retired(name, retirement);
    name = successor;
  }
  return { model: name, route: undefined };
}

function retired(model: string, { atMs, successor }: Retirement): GatewayError {
  const day = new Date(atMs).toISOString().slice(0, 10);
  const advice = successor === undefined ? '' : ` Call '${successor}' instead.`;
  return new GatewayError('not_found', `The model '${model}' was retired on ${day}.${advice}`, {
    status: 410,
    code: 'model_retired',
    param: 'model',
  });
}

/**
 * Tells whoever calls a name that is on its way out: until when, and what to call instead.
 *
 * Sources: RFC 9745 (`Deprecation`, an RFC 9651 date), RFC 8594 (`Sunset`), RFC 5829 (`successor-version`).
 */
export function pushRetirement(headers: string[], { model = '', snapshot }: Call): void {
  const retirement = snapshot.routes.resolve(model)?.retirement;
  if (!retirement) return;
  const { atMs, successor } = retirement;
  headers.push('deprecation', `@${Math.floor(atMs / 1000)}`, 'sunset', new Date(atMs).toUTCString());
  if (successor === undefined) return;
  headers.push('link', headerText(`</v1/models/${encodeURIComponent(successor)}>; rel="successor-version"`));
}
