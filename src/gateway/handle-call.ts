import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { admitCall, admitUpload } from './admit.ts';
import { answerKept, type Prepare } from './answer-kept.ts';
import { attemptInTurn } from './attempt-in-turn.ts';
import type { Call } from './call.ts';
import { captureCall } from './capture-call.ts';
import { namesHeld, planHeld } from './check-held.ts';
import { planTexts } from './check-texts.ts';
import type { Gateway } from './gateway.ts';
import { MAX_ATTEMPTS, type PlannedAttempt, planAttempts } from './plan.ts';
import { planObject } from './plan-object.ts';
import { mayStandIn, type PromptRequest } from './prompt-side.ts';
import { REGION_NOT_ALLOWED } from './regions.ts';
import { reserveQuota } from './reserve-quota.ts';
import { failCall } from './respond.ts';
import { resumeCall } from './resume-call.ts';
import { settleCall } from './settle.ts';
import { takePlace } from './take-place.ts';

/**
 * The way of a call: admit, take a place among those that run, plan (and before, where it goes on from an earlier answer, resume),
 * reserve what it needs of its limits, attempt (which relays), settle. Relaying settles by itself just before the last byte of an
 * answer; what ends without an answer is settled with its error here. Nearly all calls wait for nothing and make no promise.
 */
export function handleCall(gateway: Gateway, call: Call, prepare?: Prepare): void {
  followCall(gateway, call);
  try {
    const admitting = admit(gateway, call, prepare);
    if (!admitting) takePlace(gateway, call, planAndGoOn);
    else
      admitting
        .then((earlier) =>
          earlier ? answerKept(gateway, call, earlier) : takePlace(gateway, call, planAndGoOn),
        )
        .catch((thrown) => failCall(gateway, call, thrown));
  } catch (thrown) {
    failCall(gateway, call, thrown);
  }
}

/** From now on it is a call that is under way, until its connection is closed. */
function followCall(gateway: Gateway, call: Call): void {
  gateway.calls.add(call);
  // A connection that is gone shows as 'close', too; without a listener an 'error' would end the process.
  call.response.on('error', (err) =>
    gateway.log.warn({ call: call.id, err }, 'an answer could not be written'),
  );
  call.response.on('close', () => {
    gateway.calls.remove(call);
    call.upload?.close();
    if (!call.settled || !call.response.writableFinished) cancelCall(gateway, call);
    const { tap } = call.acting ?? call;
    if (tap) captureCall(gateway, call, tap);
    if (call.rollout) gateway.shadows.take(call);
  });
}

/** Only of a form its model arrives later than its head, and only a prompt is to be rendered, or looked for among earlier answers. */
function admit(gateway: Gateway, call: Call, prepare: Prepare | undefined): ReturnType<Prepare> | undefined {
  if (call.object) return undefined;
  if (call.upload) return admitUpload(call, call.upload).then(() => undefined);
  admitCall(call);
  if (prepare) return prepare(call);
  return call.model?.startsWith(PROMPT_PREFIX) ? gateway.prompts.admit(call) : undefined;
}

function planAndGoOn(gateway: Gateway, call: Call): void {
  if (call.rollout?.ofPrompt?.stable) call.answerInstead = (thrown) => goOnWithStable(gateway, call, thrown);
  const plan = planCall(gateway, call);
  if (Array.isArray(plan)) {
    reserveAndAttempt(gateway, call, plan);
    return;
  }
  plan
    .then((planned) => reserveAndAttempt(gateway, call, planned))
    .catch((thrown) => failCall(gateway, call, thrown));
}

/** The version that a prompt moves away from answers where the one that it moves to does not, as the model behind a candidate does. */
function goOnWithStable(gateway: Gateway, call: Call, thrown: unknown): boolean {
  const side = call.rollout?.ofPrompt;
  const room = MAX_ATTEMPTS - call.attempts.length;
  if (!side?.stable || room < 1 || !mayStandIn(call, thrown)) return false;
  call.answerInstead = undefined;
  const goOn = async (stable: PromptRequest) => {
    if (call.cancelled || call.settled) return;
    // What the candidate's model cannot serve is on no side.
    if (thrown instanceof GatewayError && thrown.code === REGION_NOT_ALLOWED) call.rollout = undefined;
    else side.givenUpAfter = call.attempts.length;
    call.become(stable);
    admitCall(call);
    const earlier = await stable.prepare?.(call);
    if (earlier) return answerKept(gateway, call, earlier);
    if (call.cancelled || call.settled) return;
    const plan = planAttempts(gateway, call);
    call.retries = Math.min(call.retries, room - 1);
    // What was set aside for the one is settled with what both have used, as a repair is.
    if (call.reservation) attemptInTurn(gateway, call, plan);
    else reserveAndAttempt(gateway, call, plan);
  };
  side
    .stable()
    .then(goOn)
    .catch((failed) => failCall(gateway, call, failed));
  return true;
}

function reserveAndAttempt(gateway: Gateway, call: Call, plan: PlannedAttempt[]): void {
  if (call.cancelled || call.settled) return;
  const waiting = reserveQuota(gateway, call, plan);
  if (!waiting) {
    attemptInTurn(gateway, call, plan);
    return;
  }
  waiting
    .then(() => {
      if (!call.cancelled && !call.settled) attemptInTurn(gateway, call, plan);
    })
    .catch((thrown) => failCall(gateway, call, thrown));
}

/** What calls a model with all that it needs in its body, as nearly all do, waits for nothing. */
function planCall(gateway: Gateway, call: Call): PlannedAttempt[] | Promise<PlannedAttempt[]> {
  if (call.object) return planObject(gateway, call, call.object);
  if (call.upload) return planAttempts(gateway, call);
  if (call.door.keepsAnswers || call.door.namesAnswers)
    return resumeCall(gateway, call).then(() => planNamed(gateway, call));
  return planNamed(gateway, call);
}

function planNamed(gateway: Gateway, call: Call): PlannedAttempt[] | Promise<PlannedAttempt[]> {
  if (namesHeld(call)) return planHeld(gateway, call);
  const plan = planAttempts(gateway, call);
  return call.snapshot.routes.readsTexts ? planTexts(gateway, call, plan) : plan;
}

/** Ends a call that may not go on, because the gateway stops: its client is told. */
export function interruptCall(call: Call, error: GatewayError): void {
  if (call.running) call.running.fail(error);
  else call.response.destroy();
}

/** The client went away before its answer was whole: the provider is told at once, and what was made is accounted. */
function cancelCall(gateway: Gateway, call: Call): void {
  if (call.cancelled) return;
  call.cancelled = true;
  call.running?.abandon(new GatewayError('cancelled', 'The client closed the connection.'));
  settleCall(gateway, call.acting ?? call, 'cancelled', 499);
}
