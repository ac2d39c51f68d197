import { dayOf } from '../config/days.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { publishedRetirement } from '../lifecycle/published-retirements.ts';
import type { DirectEnd } from '../routing/resolve-targets.ts';
import type { Retirement, Route } from '../routing/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
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
  const advice = successor === undefined ? '' : ` Call '${successor}' instead.`;
  return new GatewayError('not_found', `The model '${model}' was retired on ${dayOf(atMs)}.${advice}`, {
    status: 410,
    code: 'model_retired',
    param: 'model',
  });
}

/** Tells whoever calls a name that is on its way out: until when, and what to call instead. */
export function pushRetirement(headers: string[], { model = '', snapshot }: Call): void {
  const notice = snapshot.routes.resolve(model)?.notice;
  if (notice) for (const text of notice) headers.push(text);
}

/**
 * The headers of a name on its way out. What the configuration says of the name goes first. Else it ends as it stands with the last of
 * its targets: one that is not known to be taken away keeps it.
 *
 * Sources: RFC 9745 (`Deprecation`, an RFC 9651 date), RFC 8594 (`Sunset`), RFC 5829 (`successor-version`).
 */
export function compileNotice({
  retirement,
  targets,
}: Pick<Route, 'retirement' | 'targets'>): string[] | undefined {
  if (retirement) {
    const { atMs, successor } = retirement;
    return [...dates(atMs, atMs), ...(successor === undefined ? [] : successorLink(successor))];
  }
  const ends = targets.map((target) => target.retirement);
  if (ends.length === 0 || !ends.every((end) => end !== undefined)) return undefined;
  const announced = ends.map(({ announcedMs }) => announcedMs);
  const since = announced.every((ms) => ms !== undefined) ? latest(announced) : undefined;
  return dates(latest(ends.map(({ atMs }) => atMs)), since);
}

/** A name that is to move to a target that stays does not end with those that it has. */
export function keepMovingName(moved: Route | undefined, { targets: [candidate] }: Route): void {
  if (moved && !moved.retirement && !candidate?.retirement) moved.notice = undefined;
}

/** Of a model that is named at its provider itself: it goes to the successor by the provider's name, too. */
export function directEnd({ name, declaration }: Upstream, model: string): DirectEnd {
  const retirement = publishedRetirement(declaration.name, name, model);
  if (!retirement) return {};
  const { atMs, announcedMs, successor } = retirement;
  const link = successor === undefined ? [] : successorLink(successor);
  return { retirement, notice: [...dates(atMs, announcedMs), ...link] };
}

/** The end of a name, as those see it who may call it; `headers`: those of its answers. */
export interface SeenEnd {
  headers: readonly string[];
  /** Unix milliseconds. */
  atMs: number;
  /** What may be called instead. Of the targets behind a name none is told: that is for whoever configures it. */
  successor: string | undefined;
}

/** What callers are told of the end of a name; `undefined` where nothing is. */
export function endSeen({ routes }: Pick<Snapshot, 'routes'>, name: string): SeenEnd | undefined {
  const { notice: headers, retirement, targets } = routes.resolve(name) ?? {};
  if (!headers || !targets) return undefined;
  if (retirement) return { headers, atMs: retirement.atMs, successor: retirement.successor };
  const atMs = latest(targets.map((target) => target.retirement?.atMs ?? 0));
  // A name that is its target's own is a provider's.
  const [own] = targets.filter((target) => target.name === name);
  return { headers, atMs, successor: own?.retirement?.successor };
}

function latest(moments: readonly number[]): number {
  return moments.reduce((last, ms) => Math.max(last, ms), 0);
}

function dates(atMs: number, sinceMs: number | undefined): string[] {
  const since = sinceMs === undefined ? [] : ['deprecation', `@${Math.floor(sinceMs / 1000)}`];
  return [...since, 'sunset', new Date(atMs).toUTCString()];
}

function successorLink(successor: string): string[] {
  return linkTo(`/v1/models/${encodeURIComponent(successor)}`);
}

function linkTo(path: string): string[] {
  return ['link', headerText(`<${path}>; rel="successor-version"`)];
}

/** The same headers of anything else that ends; `successor`: a path. */
export function deprecationHeaders(atMs: number, sinceMs: number, successor: string | undefined): string[] {
  return [...dates(atMs, sinceMs), ...(successor === undefined ? [] : linkTo(successor))];
}
