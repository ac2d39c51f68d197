import { AnswerTap } from '../captures/capture.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Rollout, Subject } from '../rollouts/rollout-book.ts';
import type { Route } from '../routing/target.ts';
import type { RolloutFlag, RolloutNote } from '../usage/rollout-note.ts';
import type { Call } from './call.ts';
import { findAble } from './call-needs.ts';
import { isCopyable } from './copied-body.ts';
import { parseBody } from './parse-body.ts';

/** A rollout of a model, and what its candidate's calls are tried at. */
export interface ModelRollout {
  rollout: Rollout;
  /** The candidate, and behind it all that the model has. */
  route: Route;
}

/** Headers in which clients name their session or conversation. */
const SESSION_HEADERS = ['x-fairlead-session', 'x-session-id', 'session_id', 'conversation_id'];

/**
 * The route of the side that a call is on, where its model is in a rollout: its candidate's, or the model's own. What the candidate
 * cannot serve stays with the model, and is on no side.
 */
export function chooseSide(call: Call, route: Route, moved: ModelRollout): Route {
  const { rollout, route: ofCandidate } = moved;
  // What is kept at a provider stays where it is.
  if (!rollout.isActive || call.pinned || call.door.operation !== 'generate') return route;
  const request = requestOf(call);
  if (findAble(call, ofCandidate.targets.slice(0, 1)).length === 0) return route;
  const side = rollout.sideOf(readSubject(call, request));
  // As long as there are copies alone, only calls are compared that are copied.
  const isWatched = rollout.isWatched && (!rollout.isBeforeSteps || isCopyable(call, request));
  if (isWatched) call.tap ??= new AnswerTap();
  call.rollout = { name: rollout.spec.name, side, isWatched, candidate: ofCandidate.targets[0]?.name, moved };
  return side === 'candidate' ? ofCandidate : route;
}

/** Parsed once, for whoever asks next. */
function requestOf(call: Call): JsonObject {
  if (call.upload) return {};
  call.request ??= parseBody(call.body);
  return call.request;
}

function readSubject({ caller, response }: Call, request: JsonObject): Subject {
  const { tenant, key } = caller;
  const { headers } = response.req;
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

/** What the call tells of its rollout; nothing where its side was not asked, or its client left before the end. */
export function noteRollout(call: Call, outcome: string): RolloutNote | undefined {
  const { rollout, attempts } = call;
  if (!rollout?.isWatched) return undefined;
  const { name, side, candidate, moved } = rollout;
  const own = attempts.filter(({ target }) => (target === candidate) === (side === 'candidate'));
  const last = own.at(-1);
  if (outcome === 'cancelled') return undefined;
  if (rollout.readScores) return { name, side, flags: outcome === 'ok' ? ['judged'] : ['failed', 'judged'] };
  // A copy asks nobody in the candidate's place, and one that could not be sent there is answered by nobody.
  if (!moved && !last) return { name, side, flags: ['copied', 'failed'] };
  if (attempts.length === 0) return undefined;
  // Others were asked in the candidate's place: it is passed over for having failed, or for a limit.
  if (!last) return side === 'candidate' ? { name, side, flags: ['failed'] } : undefined;
  if (last.outcome === 'cancelled' || last.outcome === 'lost') return undefined;
  const flags: RolloutFlag[] = moved ? [] : ['copied'];
  if (last.outcome !== 'ok') flags.push('failed');
  if (last.outcome === 'upstream_timeout') flags.push('timed_out');
  return { name, side, flags };
}
