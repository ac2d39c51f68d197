import { RepeatedLook } from '../store/repeated-look.ts';
import type { CallRow } from '../store/schema.ts';
import { isAnsweredByAnother, readRolloutNote } from '../usage/rollout-note.ts';
import { type Action, act, type Outcome, RolloutRefusal } from './act.ts';
import { type ApprovalRequest, needsApproval, requestOn } from './approval.ts';
import { Evidence } from './evidence.ts';
import { observe, observeFailedByBoth, readJudged, whoseOf } from './observe.ts';
import {
  advance,
  isOver,
  isShortOfCalls,
  isStepDone,
  isThrough,
  isWatched,
  type Progress,
} from './progress.ts';
import type { Origin, OwnPlace } from './release.ts';
import { makeReport, type RolloutReport } from './report.ts';
import type { Rollout, RolloutBook, RolloutSpec } from './rollout-book.ts';
import type { Reason, RolloutStore, ScoredCall, StoredEvidence, StoredRollout } from './rollout-store.ts';
import { StepTallies } from './step-tallies.ts';

/** How often rollouts are looked at: a candidate that fails is to be out within two seconds after the evidence, everywhere. */
const LOOK_MS = 500;

/** An instance that is behind has a rollout as it was: not every look of each is to ask again in the place of the other one. */
const ASK_AGAIN_MS = 60_000;

export interface ApprovalNews {
  what: 'requested' | 'approved' | 'rejected';
  request: ApprovalRequest;
  /** Who decided; absent where nobody did yet. */
  by?: string;
}

export interface ControllerOptions {
  store: Pick<RolloutStore, 'readAll' | 'readEvidence' | 'hasNewCalls' | 'begin' | 'change' | 'forget'>;
  book: Pick<RolloutBook, 'set' | 'clear'>;
  /** Those of the configuration in force. */
  rollouts(): Iterable<Rollout>;
  /**
   * What a rollout moves from and to, as it is by now.
   *
   * @throws RolloutRefusal where that is not there to be moved
   */
  releasesOf(spec: RolloutSpec): Promise<Pick<Origin, 'stable' | 'candidate'>>;
  /** What its promotion takes out of its model, by now; `undefined` where the model is where it moves to already. */
  ownPlacesOf(spec: RolloutSpec): OwnPlace[] | undefined;
  /** Has what models stand on numbered. */
  noteReleases(): Promise<void>;
  /**
   * Told of each transition, by the one instance that made it, and of the last ones at the start. `from`: where it stood; absent at the
   * start. `report`: what it went by; absent of one that begins.
   */
  onTransition(
    rollout: Rollout,
    from: Progress | undefined,
    stored: StoredRollout,
    report: RolloutReport | undefined,
  ): void;
  /** Told of each that has ended, by the one instance that ended it; and of all of them at the start (not `isNews`). */
  onEnd(rollout: Rollout, stored: StoredRollout, isNews: boolean): void;
  /** The same, of what waits for a second person. */
  onApproval(rollout: Rollout, news: ApprovalNews): void;
  /** The same, of one whose step lacks nothing but calls of the candidate, and has for long. */
  onShortOfCalls(rollout: Rollout, stored: StoredRollout): void;
  /** The same, of one whose step would be done, but for errors that may be those of few users. `report`: what is known. */
  onShortOfUsers(rollout: Rollout, stored: StoredRollout, report: RolloutReport): void;
  /** The store does not answer; told once, until it does again. */
  onFailure(error: unknown): void;
  /** Unix milliseconds. */
  now(): number;
  schedule(task: () => void, delayMs: number): () => void;
}

/**
 * Moves rollouts on: learns from the calls that are in the store, decides, and writes what it decided with what it learned. Every
 * instance looks; who is first with a change has made it, the others read it.
 */
export class RolloutController {
  readonly #options: ControllerOptions;
  readonly #stored = new Map<string, StoredRollout>();
  readonly #watch: RepeatedLook;

  constructor(options: ControllerOptions) {
    const { schedule, onFailure } = options;
    this.#options = options;
    // While the store is away rollouts stand still: calls go on as they were shared out.
    this.#watch = new RepeatedLook({ look: () => this.#look(), everyMs: LOOK_MS, onFailure, schedule });
  }

  /** Reads where rollouts stand, and goes on looking. Rejects where the store does not say it. */
  async start(): Promise<void> {
    await this.#read();
    // Whoever made a change may have been killed before it was told, or written.
    for (const rollout of this.list()) {
      const stored = this.find(rollout);
      if (!stored || stored.progress.phase === 'draft') continue;
      this.#options.onTransition(rollout, undefined, stored, await this.reportOf(rollout));
      if (isOver(stored.progress)) this.#options.onEnd(rollout, stored, false);
    }
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  /** What the store says of a rollout of the configuration, with what still waits; `undefined` where it is a draft. */
  find(rollout: Rollout): StoredRollout | undefined {
    const stored = this.#findAsStored(rollout);
    return stored && { ...stored, approval: requestOn(stored.approval, rollout.spec) };
  }

  /** The same with a request that waits no more, too. */
  #findAsStored({ spec }: Rollout): StoredRollout | undefined {
    const stored = this.#stored.get(spec.name);
    return stored?.release === spec.release ? stored : undefined;
  }

  /** What the store says of the rollout of a name, read anew: also where the configuration has another one by now. */
  async findNamed(name: string): Promise<StoredRollout | undefined> {
    await this.#read();
    return this.#stored.get(name);
  }

  /** Those of the configuration in force, in its order. */
  list(): Rollout[] {
    return [...this.#options.rollouts()];
  }

  /** What is known of a rollout's candidate, by gate, step and side. */
  async reportOf(rollout: Rollout): Promise<RolloutReport> {
    const stored = this.find(rollout);
    return describeKnown(rollout, stored && (await this.#options.store.readEvidence(stored)));
  }

  /**
   * Does what somebody wants done by hand.
   *
   * @throws RolloutRefusal where it leads nowhere from where the rollout stands
   */
  async command(rollout: Rollout, action: Action, by: string): Promise<Progress> {
    for (;;) {
      await this.#read();
      const before = this.find(rollout);
      const deed = { action, by, nowMs: this.#options.now(), calls: before?.candidates ?? 0 };
      const outcome = act(rollout.spec, before, deed);
      const isNew = outcome.begins !== undefined || !before;
      const made = isNew
        ? await this.#begin(rollout, outcome)
        : await this.#change(rollout, before, ({ candidates }) =>
            act(rollout.spec, before, { ...deed, calls: candidates }),
          );
      if (!made) continue;
      const { changed, evidence } = made;
      this.#take(changed);
      const from = before?.progress ?? { ...outcome.progress, phase: 'draft' as const };
      if (outcome.told) {
        const isDecided = outcome.told.what !== 'requested';
        this.#options.onApproval(rollout, { ...outcome.told, ...(isDecided && { by }) });
      }
      this.#tell(rollout, from, changed, evidence);
      return changed.progress;
    }
  }

  /** Starts a rollout that nobody has started, or asked to, yet; another instance may just do so. */
  async startDraft(rollout: Rollout, by: string): Promise<void> {
    if (this.find(rollout)) return;
    try {
      await this.command(rollout, 'start', by);
    } catch (error) {
      const isDone =
        error instanceof RolloutRefusal &&
        (error.code === 'rollout_phase' || error.code === 'approval_pending');
      if (!isDone) throw error;
    }
  }

  /** What the store has of a rollout that is in no configuration any more is forgotten. */
  async forget(name: string): Promise<void> {
    await this.#options.store.forget(name);
    await this.#read();
  }

  async #begin(rollout: Rollout, outcome: Outcome): Promise<Made | undefined> {
    const { store, now } = this.#options;
    const { spec } = rollout;
    const { name, release } = spec;
    const { progress, approval, reason, begins } = outcome;
    const origin = begins && (await this.#noteOrigin(rollout, begins));
    const begun = { name, release, progress, approval, reason, origin };
    const changed = await store.begin(begun, this.#stored.get(name), spec.gates, now());
    return changed && { changed, evidence: undefined };
  }

  async #noteOrigin(rollout: Rollout, { by = '', approvedBy }: Reason): Promise<Origin> {
    const { releasesOf, now } = this.#options;
    const releases = await releasesOf(rollout.spec);
    // A model that stands on the candidate says nothing of how it was before: the earlier rollout does.
    const { ownPlaces } = this.find(rollout)?.origin ?? {};
    return {
      ...releases,
      ...(ownPlaces && { ownPlaces }),
      ...{ at: now(), by },
      ...(approvedBy !== undefined && { approvedBy }),
    };
  }

  /** Learns what there is to learn, and has it decided what that comes to. */
  async #change(
    rollout: Rollout,
    stored: StoredRollout,
    decide: (learned: Known) => Standing,
  ): Promise<Made | undefined> {
    let evidence: StoredEvidence | undefined;
    const changed = await this.#options.store.change(stored, (known, calls, scores) => {
      const learned = learn(rollout, stored, known, calls, scores);
      evidence = learned.evidence;
      const { candidates } = evidence;
      const { failure, isDoubtful } = learned;
      const { progress, approval, reason } = decide({ candidates, failure, isDoubtful });
      const origin = this.#originOf(rollout, stored, progress);
      return { ...stored, progress, approval, reason, origin, evidence };
    });
    return changed && { changed, evidence };
  }

  /** With what its promotion takes out of its model, where it is promoted now: the way back puts it there again. */
  #originOf({ spec }: Rollout, { progress, origin }: StoredRollout, { phase }: Progress): Origin | undefined {
    if (!origin || phase !== 'promoted' || progress.phase === 'promoted') return origin;
    const ownPlaces = this.#options.ownPlacesOf(spec);
    return ownPlaces ? { ...origin, ownPlaces } : origin;
  }

  async #look(): Promise<void> {
    await this.#read();
    for (const rollout of this.#options.rollouts()) await this.#moveOn(rollout);
    await this.#options.noteReleases();
  }

  async #read(): Promise<void> {
    const { store, book } = this.#options;
    const all = await store.readAll();
    const names = new Set(all.map(({ name }) => name));
    for (const stored of all) this.#take(stored);
    for (const name of this.#stored.keys()) {
      if (names.has(name)) continue;
      this.#stored.delete(name);
      book.clear(name);
    }
  }

  /** What was read may be older than what this instance has changed meanwhile. */
  #take(stored: StoredRollout): void {
    const { name, version } = stored;
    if (version < (this.#stored.get(name)?.version ?? 0)) return;
    this.#stored.set(name, stored);
    this.#options.book.set(name, stored);
  }

  async #moveOn(rollout: Rollout): Promise<void> {
    const stored = this.#findAsStored(rollout);
    if (!stored || !isWatched(stored.progress)) return;
    const { store } = this.#options;
    const { candidates, reason } = stored;
    // As long as no calls come, doubts stay.
    const known = { candidates, failure: undefined, isDoubtful: reason?.isShortOfUsers === true };
    const isDue = isChange(stored, this.#moved(rollout, stored, known));
    if (!isDue && !(await store.hasNewCalls(stored.name))) return;
    const made = await this.#change(rollout, stored, (learned) => this.#moved(rollout, stored, learned));
    if (!made) return;
    const { changed, evidence } = made;
    this.#take(changed);
    this.#tell(rollout, stored.progress, changed, evidence);
    if (changed.reason?.isShortOfCalls && !stored.reason?.isShortOfCalls)
      this.#options.onShortOfCalls(rollout, changed);
    if (changed.reason?.isShortOfUsers && !stored.reason?.isShortOfUsers)
      this.#options.onShortOfUsers(rollout, changed, describeKnown(rollout, evidence));
    if (changed.approval && changed.approval.at !== stored.approval?.at)
      this.#options.onApproval(rollout, { what: 'requested', request: changed.approval });
  }

  /** Where a rollout stands after a look at it, and what it waits for. */
  #moved(
    { spec: { plan, approval: setting, terms } }: Rollout,
    { progress: before, approval, reason: earlier, origin }: StoredRollout,
    { candidates: calls, failure, isDoubtful }: Known,
  ): Standing {
    const nowMs = this.#options.now();
    const isHeld = !failure && isDoubtful && isStepDone(plan, before, { nowMs, calls });
    const reason = noteShortOfUsers(earlier, isHeld);
    if (isHeld) return { progress: before, approval, reason };
    if (!failure && needsApproval(setting, 'promote') && isThrough(plan, before, { nowMs, calls })) {
      const isAsked = approval && (approval.terms === terms || nowMs - approval.at < ASK_AGAIN_MS);
      if (isAsked) return { progress: before, approval, reason };
      const request = { wants: 'promote', by: origin?.by ?? '', at: nowMs, terms } as const;
      return { progress: before, approval: request, reason };
    }
    const progress = advance(plan, before, { nowMs, calls, failure });
    if (progress === before) {
      const isNews = !reason?.isShortOfCalls && isShortOfCalls(plan, progress, { nowMs, calls });
      return { progress, approval, reason: isNews ? { ...reason, isShortOfCalls: true } : reason };
    }
    return { progress, approval: isOver(progress) ? undefined : approval, reason: failure && { failure } };
  }

  #tell(
    rollout: Rollout,
    from: Progress,
    changed: StoredRollout,
    evidence: StoredEvidence | undefined,
  ): void {
    const { phase, step } = changed.progress;
    if (phase === from.phase && step === from.step) return;
    const report = evidence && describeKnown(rollout, evidence);
    this.#options.onTransition(rollout, from, changed, report);
    if (isOver(changed.progress)) this.#options.onEnd(rollout, changed, true);
  }
}

type Known = Pick<Evidence, 'candidates' | 'failure' | 'isDoubtful'>;

type Standing = Pick<StoredRollout, 'progress' | 'approval' | 'reason'>;

/** A change that is in the store, and what was known then; nothing is of what begins. */
interface Made {
  changed: StoredRollout;
  evidence: StoredEvidence | undefined;
}

function describeKnown({ spec }: Rollout, known: StoredEvidence | undefined): RolloutReport {
  const { plan, gates } = spec;
  const evidence = new Evidence(gates, known);
  const { candidates, failure } = evidence;
  const readings = evidence.readings();
  const report = makeReport({ ...plan, gates }, known?.steps ?? [], { readings, candidates, failure });
  return gates.judge ? { ...report, unreadScores: known?.unreadScores ?? 0 } : report;
}

/** The same where nothing changes. */
function noteShortOfUsers(reason: Reason | undefined, isShortOfUsers: boolean): Reason | undefined {
  if (isShortOfUsers === (reason?.isShortOfUsers ?? false)) return reason;
  if (isShortOfUsers) return { ...reason, isShortOfUsers };
  const { isShortOfUsers: _, ...rest } = reason ?? {};
  return Object.keys(rest).length > 0 ? rest : undefined;
}

function isChange(
  before: Pick<Standing, 'progress' | 'approval' | 'reason'>,
  after: Pick<Standing, 'progress' | 'approval' | 'reason'>,
): boolean {
  return (
    before.progress !== after.progress || before.approval !== after.approval || before.reason !== after.reason
  );
}

/** What is known with these calls and scores, too, and the gate that the candidate fails by it. */
function learn(
  { spec }: Rollout,
  { progress, origin }: StoredRollout,
  known: StoredEvidence,
  rows: readonly CallRow[],
  scores: readonly ScoredCall[],
): { evidence: StoredEvidence } & Pick<Evidence, 'failure' | 'isDoubtful'> {
  const evidence = new Evidence(spec.gates, known);
  const steps = new StepTallies(known.steps);
  steps.begin(progress.step, progress.since);
  // Of an earlier one of its name nothing is learned.
  const from = origin?.at ?? 0;
  for (const row of rows) {
    if (row.started_at < from) continue;
    const judged = readJudged(row);
    if (judged) evidence.observeScores(judged.scores);
    const failedByBoth = observeFailedByBoth(row);
    if (failedByBoth) evidence.observeFailedByBoth(failedByBoth);
    const observation = observe(row);
    if (!observation) continue;
    evidence.observe(observation);
    steps.observe(observation, observation, row.started_at);
  }
  for (const { started_at: startedAt, rollout, score } of scores) {
    const note = rollout === null ? undefined : readRolloutNote(rollout);
    // What another answered in its side's place says nothing of that.
    if (startedAt < from || !note || isAnsweredByAnother(note)) continue;
    const whose = whoseOf(note);
    evidence.observeScore(whose, score);
    steps.observe(whose, { score }, startedAt);
  }
  const { failure, isDoubtful } = evidence;
  return { evidence: { ...evidence.state, steps: steps.state }, failure, isDoubtful };
}
