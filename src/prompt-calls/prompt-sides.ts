import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { CallSide } from '../gateway/call.ts';
import type { PromptRequest, PromptSide } from '../gateway/prompt-side.ts';
import type { Caller, Snapshot } from '../gateway/snapshot.ts';
import { watchAnswers } from '../prompts/keepable.ts';
import { PromptFileError } from '../prompts/problem.ts';
import type { PromptBook, PublishedPrompt } from '../prompts/prompt-book.ts';
import { PRODUCTION, type PromptVersion, readReference } from '../prompts/versions.ts';
import type { Side } from '../rollouts/comparisons.ts';
import { leadOf } from '../rollouts/label-lead.ts';
import type { Whose } from '../rollouts/observation.ts';
import type { Rollout, Subject } from '../rollouts/rollout-book.ts';
import { openPrompt, retiredPrompt } from './open-prompt.ts';

/** Who calls which prompt, as they name it. */
export interface PromptReference {
  prompts: Pick<PromptBook, 'open' | 'record'>;
  snapshot: Pick<Snapshot, 'promptRollouts'>;
  caller: Caller;
  /** `NAME`, or `NAME@VERSION`. */
  reference: string;
  /** As a rollout asks. */
  subject(): Subject;
  /** Told the version that the reference leads to, whatever becomes of the call. */
  onFound?(version: PromptVersion): void;
}

/** What one version makes of a call. */
export interface PreparedPrompt extends PromptRequest {
  prompt: PublishedPrompt;
  /** What the prompt makes of the input. */
  chatRequest: JsonObject;
}

/** The same, of the version that the call comes to. */
export interface SidedPrompt extends PreparedPrompt {
  /** Where the label that was called is in a rollout. */
  rollout?: CallSide;
}

/**
 * Makes a call of a prompt one of the version that it comes to: where a label is named that a rollout moves, that of the caller's side. What
 * the candidate's version refuses and the stable's takes is the stable's, and a failure of the candidate.
 *
 * @param prepare what a version makes of the call
 * @throws GatewayError `not_found`, and what `prepare` throws
 */
export async function preparePrompt(
  called: PromptReference,
  prepare: (prompt: PublishedPrompt) => Promise<PreparedPrompt>,
): Promise<SidedPrompt> {
  const { prompts, snapshot, caller, reference } = called;
  const found = await openPrompt(prompts, caller, reference);
  called.onFound?.(found.state === 'retired' ? found.version : found.prompt.version);
  if (found.state === 'retired') throw retiredPrompt(found);
  const { prompt } = found;
  const { name, version = PRODUCTION } = readReference(reference);
  const moved = snapshot.promptRollouts.get(name);
  const pointer = moved?.label === version ? prompt.record.labels.get(version) : undefined;
  if (!moved || !pointer) return prepare(prompt);
  const { rollout } = moved;
  const lead = leadOf(rollout, pointer);
  if (lead === 'label') return prepare(prompt);
  const candidate = rollout.origin?.candidate.number;
  if (lead !== 'sides') {
    const isThere = prompt.version.number === lead;
    const led = (isThere ? undefined : await openVersion(prompts, name, lead)) ?? prompt;
    const prepared = await prepare(led);
    // Of one that was rolled back there are no sides any more.
    if (!rollout.isActive || led.version.number !== candidate) return prepared;
    const side = { name: rollout.spec.name, side: 'candidate', release: lead, isWatched: false } as const;
    return { ...prepared, rollout: side };
  }
  const other = candidate === undefined ? undefined : await openVersion(prompts, name, candidate);
  // What cannot be served, because it has ended since or this gateway cannot make a prompt of it, is on no side.
  if (!other) return prepare(prompt);
  const whose = rollout.assign(called.subject());
  return whose.side === 'stable'
    ? prepareStable(rollout, whose, { stable: prompt, candidate: other }, prepare)
    : prepareCandidate(rollout, whose, { stable: prompt, candidate: other }, prepare);
}

async function openVersion(
  prompts: Pick<PromptBook, 'open'>,
  name: string,
  number: number,
): Promise<PublishedPrompt | undefined> {
  try {
    const found = await prompts.open(`${name}@${number}`);
    return found && found.state !== 'retired' ? found.prompt : undefined;
  } catch (thrown) {
    if (thrown instanceof PromptFileError) return undefined;
    throw thrown;
  }
}

type Prepare = (prompt: PublishedPrompt) => Promise<PreparedPrompt>;

async function prepareStable(
  rollout: Rollout,
  whose: Whose,
  { stable, candidate }: Record<Side, PublishedPrompt>,
  prepare: Prepare,
): Promise<SidedPrompt> {
  const ofPrompt: PromptSide = {
    rollout,
    candidate: async () => {
      const side: PromptSide = { rollout, isCopy: true };
      const { request, refusal } = await tryPrepare(candidate, stable, prepare);
      return { ...watched(request, side), model: String(request.chatRequest['model']), side, refusal };
    },
  };
  return onSide(await prepare(stable), whose, ofPrompt);
}

async function prepareCandidate(
  rollout: Rollout,
  whose: Whose,
  { stable, candidate }: Record<Side, PublishedPrompt>,
  prepare: Prepare,
): Promise<SidedPrompt> {
  const { request, refusal } = await tryPrepare(candidate, stable, prepare);
  if (refusal) return onSide(request, whose, { rollout, givenUpAfter: 0 });
  return onSide(request, whose, { rollout, stable: () => prepare(stable) });
}

/** `request`: the stable's where the candidate refuses, as `refusal` says; what both refuse is the caller's to mend. */
async function tryPrepare(
  candidate: PublishedPrompt,
  stable: PublishedPrompt,
  prepare: Prepare,
): Promise<{ request: PreparedPrompt; refusal?: GatewayError }> {
  try {
    return { request: await prepare(candidate) };
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    return { request: await prepare(stable), refusal: thrown };
  }
}

function onSide(prepared: PreparedPrompt, whose: Whose, ofPrompt: PromptSide): SidedPrompt {
  const { rollout } = ofPrompt;
  return {
    ...watched(prepared, ofPrompt),
    rollout: {
      ...whose,
      ...{ name: rollout.spec.name, release: rollout.origin?.[whose.side].number, ofPrompt },
      // It may have ended when the call does.
      get isWatched() {
        return rollout.isWatched;
      },
    },
  };
}

/** The same, which leaves what the model said with the call's side: it is compared. */
function watched<T extends PromptRequest>(request: T, side: PromptSide): T {
  const { door } = request;
  const dialect = watchAnswers(door.dialect, (completion) => {
    side.said = completion;
  });
  return { ...request, door: { ...door, dialect } };
}
