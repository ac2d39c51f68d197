import type { IncomingHttpHeaders } from 'node:http';
import { AnswerTap } from '../captures/capture.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Side } from '../rollouts/comparisons.ts';
import type { Rollout, Subject } from '../rollouts/rollout-book.ts';
import type { Route, Target } from '../routing/target.ts';
import type { AttemptRecord } from '../usage/record.ts';
import type { RolloutFlag, RolloutNote } from '../usage/rollout-note.ts';
import type { Call, CallSide, PinnedAccount } from './call.ts';
import { findAble, takesStops } from './call-needs.ts';
import { isCopyable } from './copied-body.ts';
import { parseBody } from './parse-body.ts';
import type { PlannedAttempt } from './plan.ts';
import { flagsOfPrompt } from './prompt-side.ts';
import { hasPlaceFor } from './regions.ts';
import type { Caller } from './snapshot.ts';

/** A rollout of a model, and what its candidate's calls are tried at. */
export interface ModelRollout {
  rollout: Rollout;
  candidate: Target;
  /** The candidate, and behind it all that the model has. */
  route: Route;
  /** Where the model has the candidate in the place of the stable already: the routes of both sides as they were before. */
  wayBack?: (() => Record<Side, Route>) | undefined;
  /** The stable target, which may be the model's no more. */
  stable: Pick<Target, 'name' | 'account'>;
}

/** Headers in which clients name their session or conversation. */
const SESSION_HEADERS = ['x-fairlead-session', 'x-session-id', 'session_id', 'conversation_id'];

/**
 * The route of the side that a call is on, where its model is in a rollout: its candidate's, or the model's own. What the candidate
 * cannot serve stays with the model, and is on no side.
 */
export function chooseSide(call: Call, own: Route, moved: ModelRollout): Route {
  const { rollout, candidate, stable, wayBack } = moved;
  const { phase } = rollout.progress;
  if (phase === 'draft' || call.door.operation !== 'generate') return own;
  // What the configuration has by now is where a promoted one stands; every other phase is about what was before.
  const routes = phase === 'promoted' ? undefined : wayBack?.();
  const route = routes?.stable ?? own;
  const ofCandidate = routes?.candidate ?? moved.route;
  if (call.pinned) {
    const keeper = findKeeper(call, call.pinned, route, moved);
    if (keeper) return keeper;
  }
  if (!rollout.isActive) return route;
  const request = requestOf(call);
  if (findAble(call, [candidate]).length === 0 || !takesStops(candidate, request)) return route;
  if (!hasPlaceFor(call.caller, candidate)) return route;
  // As long as there are copies alone, only calls are compared that are copied.
  const isWatched = rollout.isWatched && (!rollout.isBeforeSteps || isCopyable(call, request));
  const begun = isWatched ? sideOfThread(call, route, ofCandidate) : undefined;
  const side = begun ?? rollout.sideOf(readSubject(call.caller, call.response.req.headers, request));
  // A call is evidence of one rollout: that of its prompt, which needs a model on either side.
  if (call.rollout?.ofPrompt) return side === 'candidate' ? ofCandidate : route;
  if (isWatched) call.tap ??= new AnswerTap();
  const release = rollout.origin?.[side].number;
  call.rollout = { name: rollout.spec.name, side, release, isWatched, candidate, stable, moved };
  return side === 'candidate' ? ofCandidate : route;
}

/**
 * The route of a call that goes on from what a provider account keeps, where not every side leads there: the thread stays where it began,
 * also when its rollout has ended since. On no side: there is nothing to choose.
 */
function findKeeper(
  call: Call,
  pinned: PinnedAccount,
  route: Route,
  { candidate, stable }: ModelRollout,
): Route | undefined {
  const atModel = leadTo(route.targets, pinned);
  const atCandidate = leadTo([candidate], pinned);
  if (atModel && atCandidate) return undefined;
  if (atModel) return route;
  const keepers = atCandidate ? [candidate] : (call.snapshot.routes.resolve(stable.name)?.targets ?? []);
  return leadTo(keepers, pinned) ? { ...route, targets: keepers } : route;
}

/** Where a thread began that both sides can go on with: it does not flip. */
function sideOfThread({ pinned }: Call, route: Route, { targets: [candidate] }: Route): Side | undefined {
  const began = pinned?.target;
  if (began === undefined) return undefined;
  if (began === candidate?.name) return 'candidate';
  return route.targets.some(({ name }) => name === began) ? 'stable' : undefined;
}

function leadTo(targets: readonly Target[], { provider, account }: PinnedAccount): boolean {
  return targets.some(
    ({ upstream, account: only = account }) =>
      only === account &&
      upstream.name === provider &&
      upstream.accounts.some(({ name }) => name === account),
  );
}

/** Parsed once, for whoever asks next. */
function requestOf(call: Call): JsonObject {
  if (call.upload) return {};
  call.request ??= parseBody(call.body);
  return call.request;
}

/** `request`: what says who the end user is; nothing where a body has no place for that. */
export function readSubject(
  { tenant, key }: Pick<Caller, 'tenant' | 'key'>,
  headers: IncomingHttpHeaders,
  request: JsonObject,
): Subject {
  const header = (name: string) => textOf(headers[name]);
  const metadata = isObject(request['metadata']) ? request['metadata'] : {};
  const user = textOf(request['safety_identifier']) ?? textOf(request['user']) ?? textOf(metadata['user_id']);
  const named = SESSION_HEADERS.map(header).find((value) => value !== undefined);
  const session = named ?? textOf(request['prompt_cache_key']);
  return { tenant, key, user, session, header, metadata };
}

function textOf(value: JsonValue | string[] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Whether an attempt is the candidate's for whom the call is meant, as long as that is watched. */
export function isForCandidate({ rollout }: Call, { target, only }: PlannedAttempt): boolean {
  if (!rollout?.isWatched || rollout.side !== 'candidate' || only !== undefined) return false;
  return target === rollout.candidate;
}

/** Whether a candidate refused a call: what it says of the call is its own word, and the model's others may say another. */
export function isRefusedCandidate(call: Call, planned: PlannedAttempt, { kind }: GatewayError): boolean {
  return kind === 'upstream_rejected' && isForCandidate(call, planned);
}

/** What the model has of its own. */
export function behindCandidate(
  plan: readonly PlannedAttempt[],
  candidate: PlannedAttempt,
): PlannedAttempt[] {
  return plan.filter(({ target, only }) => only === undefined && target !== candidate.target);
}

export function isSameTarget(
  one: Pick<Target, 'name' | 'account'>,
  other: Pick<Target, 'name' | 'account'>,
): boolean {
  return one.name === other.name && one.account === other.account;
}

export function isAttemptAt(
  { target, account }: AttemptRecord,
  place: Pick<Target, 'name' | 'account'>,
): boolean {
  return target === place.name && account === (place.account ?? account);
}

/** Those of a client's call that its side made. */
function ownAttempts(
  attempts: readonly AttemptRecord[],
  { side, candidate, stable }: Required<Pick<CallSide, 'side' | 'candidate' | 'stable'>>,
): readonly AttemptRecord[] {
  if (!isSameTarget(candidate, stable))
    return attempts.filter((attempt) => isAttemptAt(attempt, candidate) === (side === 'candidate'));
  // Releases of one target: the candidate is asked first.
  return attempts.slice(0, side === 'candidate' ? 1 : undefined);
}

/** What the call tells of its rollout; nothing where its side was not asked, or its client left before the end. */
export function noteRollout(call: Call, outcome: string): RolloutNote | undefined {
  const { rollout } = call;
  const flags = rollout?.isWatched && outcome !== 'cancelled' ? flagsOf(call, rollout, outcome) : undefined;
  if (!rollout || !flags) return undefined;
  const { name, side, release } = rollout;
  return { name, side, flags, ...(release !== undefined && { release }) };
}

function flagsOf(
  call: Call,
  { side, candidate, stable, moved, ofPrompt, readScores }: CallSide,
  outcome: string,
): RolloutFlag[] | undefined {
  if (ofPrompt) return flagsOfPrompt(call, ofPrompt, outcome);
  if (readScores) return outcome === 'ok' ? ['judged'] : ['failed', 'judged'];
  if (!candidate || !stable) return undefined;
  const { attempts } = call;
  const isCopy = !moved;
  const own = isCopy ? attempts : ownAttempts(attempts, { side, candidate, stable });
  // Of two beside each other the later one may be the one that lost.
  const last = own.findLast(({ outcome }) => outcome === 'ok') ?? own.at(-1);
  // A copy asks nobody in the candidate's place, and one that could not be sent there is answered by nobody.
  if (isCopy && !last) return ['copied', 'failed'];
  if (attempts.length === 0) return undefined;
  // Others were asked in the candidate's place: it is passed over for having failed, or for a limit.
  if (!last) return side === 'candidate' ? ['failed'] : undefined;
  if (last.outcome === 'cancelled') return undefined;
  if (last.outcome === 'lost') return ['overtaken'];
  const flags: RolloutFlag[] = isCopy ? ['copied'] : [];
  if (last.outcome !== 'ok') flags.push('failed');
  if (last.outcome === 'upstream_timeout') flags.push('timed_out');
  return flags;
}
