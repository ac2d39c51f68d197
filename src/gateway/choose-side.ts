import type { IncomingHttpHeaders } from 'node:http';
import { AnswerTap } from '../captures/capture.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Side } from '../rollouts/comparisons.ts';
import type { Whose } from '../rollouts/observation.ts';
import type { Rollout, Subject } from '../rollouts/rollout-book.ts';
import type { Route, Target } from '../routing/target.ts';
import type { AttemptRecord } from '../usage/record.ts';
import type { RolloutFlag, RolloutNote } from '../usage/rollout-note.ts';
import type { Call, CallSide, PinnedAccount } from './call.ts';
import { findAble } from './call-needs.ts';
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
  if (findAble(call, [candidate]).length === 0) return route;
  if (!hasPlaceFor(call.caller, candidate)) return route;
  // As long as there are copies alone, only calls are compared that are copied.
  const isWatched = rollout.isWatched && (!rollout.isBeforeSteps || isCopyable(call, request));
  const begun = isWatched && !rollout.isBeforeSteps ? sideOfThread(call, route, ofCandidate) : undefined;
  const drawn = rollout.assign(readSubject(call.caller, call.response.req.headers, request));
  const whose: Whose = begun === undefined ? drawn : { side: begun, user: drawn.user, isByRule: true };
  const { side } = whose;
  // A call is evidence of one rollout: that of its prompt, which needs a model on either side.
  if (call.rollout?.ofPrompt) return side === 'candidate' ? ofCandidate : route;
  if (isWatched) call.tap ??= new AnswerTap();
  const release = rollout.origin?.[side].number;
  call.rollout = { ...whose, name: rollout.spec.name, release, isWatched, candidate, stable, moved };
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
function sideOfThread({ began }: Call, route: Route, { targets: [candidate] }: Route): Side | undefined {
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

/** What a call was planned to be tried at first: of a model that shares its calls out among targets it is not always the stable. */
export function notePlanned(call: Call, first: Target | undefined): void {
  const { rollout } = call;
  if (rollout?.stable && rollout.side === 'stable')
    rollout.isElsewhere = !first || !isSameTarget(first, rollout.stable);
}

/** What the call tells of its rollout; nothing where that has ended, or it is on no side. */
export function noteRollout(call: Call, outcome: string): RolloutNote | undefined {
  const { rollout } = call;
  const flags = rollout?.isWatched ? flagsOf(call, rollout, outcome) : undefined;
  if (!rollout || !flags) return undefined;
  const { name, side, release, user, isByRule } = rollout;
  return {
    ...{ name, side, flags: isByRule ? ['by_rule', ...flags] : flags },
    ...(release !== undefined && { release }),
    ...(user !== undefined && { user }),
  };
}

function flagsOf(call: Call, rollout: CallSide, outcome: string): RolloutFlag[] | undefined {
  const { candidate, stable, moved, ofPrompt, readScores } = rollout;
  if (ofPrompt) return flagsOfPrompt(call, ofPrompt, outcome);
  if (readScores) return outcome === 'ok' ? ['judged'] : ['failed', 'judged'];
  if (!candidate || !stable) return undefined;
  return moved ? flagsOfCall(call, rollout, outcome) : ['copied', ...flagsOfCopy(call, outcome)];
}

/** A copy asks nobody in the candidate's place, and one that could not be sent there is answered by nobody. */
function flagsOfCopy({ attempts: [first] }: Pick<Call, 'attempts'>, outcome: string): RolloutFlag[] {
  if (outcome === 'cancelled') return ['unsaid'];
  return first ? flagsOfAttempt(first) : ['failed'];
}

/**
 * Both sides are held to what came of asking them once, and first: a side that is asked again, or after others, would have it easier. A
 * call that nobody could answer who was asked after it says nothing of who was asked first, nor does one that is refused as it is.
 */
function flagsOfCall(
  { attempts }: Pick<Call, 'attempts'>,
  { side, candidate, stable, isElsewhere }: CallSide,
  outcome: string,
): RolloutFlag[] {
  const [first] = attempts;
  const place = side === 'candidate' ? candidate : stable;
  if (isElsewhere || !first || !place) return ['unsaid'];
  const isAsked = isAttemptAt(first, place);
  if (outcome === 'cancelled') return [isAsked ? 'left' : 'unsaid'];
  // It was passed over for having failed, or for a limit, and another was asked.
  if (!isAsked) return [outcome === 'ok' ? 'failed' : 'unsaid'];
  const areOthersAsked = attempts.length > 1;
  const isNobodys = outcome !== 'ok' && (areOthersAsked || first.outcome === 'upstream_rejected');
  const flags = flagsOfAttempt(first);
  const ofNext =
    side === 'candidate' && flags.includes('failed') ? flagsOfNext(attempts, candidate, stable) : [];
  return [...(isNobodys ? (['unsaid'] as const) : flags), ...ofNext];
}

/** What the stable made of a call that the candidate failed; nothing where another was asked before. */
function flagsOfNext(
  attempts: readonly AttemptRecord[],
  candidate: CallSide['candidate'],
  stable: CallSide['stable'],
): RolloutFlag[] {
  const next = attempts.find((attempt) => !candidate || !isAttemptAt(attempt, candidate));
  if (!next || !stable || !isAttemptAt(next, stable)) return [];
  if (next.outcome === 'ok') return ['stood_in'];
  return next.outcome === 'lost' || next.outcome === 'cancelled' ? [] : ['next_failed'];
}

function flagsOfAttempt({ outcome }: AttemptRecord): RolloutFlag[] {
  switch (outcome) {
    case 'ok':
      return [];
    case 'lost':
      return ['overtaken'];
    case 'cancelled':
      return ['unsaid'];
    case 'upstream_timeout':
      return ['failed', 'timed_out'];
    default:
      return ['failed'];
  }
}
