import type { CallRow } from '../store/schema.ts';
import { readRolloutNote } from '../usage/rollout-note.ts';
import { Evidence, type Failure, type Observation } from './gates.ts';
import { advance, afterCommand, type Command, DRAFT, isWatched, mayDo, type Progress } from './progress.ts';
import { makeReport, type RolloutReport } from './report.ts';
import type { Rollout, RolloutBook } from './rollout-book.ts';
import type { Reason, RolloutStore, ScoredCall, StoredRollout } from './rollout-store.ts';
import { StepTallies } from './step-tallies.ts';

/** How often rollouts are looked at: a candidate that fails is to be out within two seconds after the evidence, everywhere. */
const LOOK_MS = 500;

export interface ControllerOptions {
  store: Pick<RolloutStore, 'readAll' | 'hasNewCalls' | 'begin' | 'change'>;
  book: Pick<RolloutBook, 'set'>;
  /** Those of the configuration in force. */
  rollouts(): Iterable<Rollout>;
  /** Told of each transition, by the one instance that made it. */
  onTransition(rollout: Rollout, from: Progress, stored: StoredRollout): void;
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
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStoreAway = false;
  #isStopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Reads where rollouts stand, and goes on looking. Rejects where the store does not say it. */
  async start(): Promise<void> {
    await this.#read();
    this.#again();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  /** What the store says of a rollout of the configuration; `undefined` where it is a draft. */
  find({ spec }: Rollout): StoredRollout | undefined {
    const stored = this.#stored.get(spec.name);
    return stored?.release === spec.release ? stored : undefined;
  }

  /** Those of the configuration in force, in its order. */
  list(): Rollout[] {
    return [...this.#options.rollouts()];
  }

  /** What is known of a rollout's candidate, by gate, step and side. */
  reportOf(rollout: Rollout): RolloutReport {
    const { plan, gates } = rollout.spec;
    const known = this.find(rollout)?.evidence;
    const evidence = new Evidence(gates, known);
    const { candidates, failure } = evidence;
    const readings = evidence.readings();
    return makeReport({ ...plan, gates }, known?.steps ?? [], { readings, candidates, failure });
  }

  /**
   * Does what somebody wants done by hand.
   *
   * @throws RangeError where it leads nowhere from where the rollout stands
   */
  async command(rollout: Rollout, command: Command, by: string): Promise<Progress> {
    const { spec } = rollout;
    const { store, now, onTransition } = this.#options;
    for (;;) {
      await this.#read();
      const stored = this.find(rollout);
      const before = stored?.progress ?? DRAFT;
      if (!mayDo(command, before)) throw new RangeError(`it is ${before.phase.replace('_', ' ')}`);
      if (command === 'start') {
        const progress = afterCommand(command, before, now(), 0);
        const begun = { name: spec.name, release: spec.release, progress, reason: { by } };
        await store.begin(begun, spec.gates);
      } else if (stored) {
        const reason: Reason = { by };
        const changed = await store.change(stored, (calls, scores) => {
          const { evidence } = learn(rollout, stored, calls, scores);
          const progress = afterCommand(command, before, now(), evidence.candidates);
          return { ...stored, progress, reason, evidence };
        });
        if (!changed) continue;
      }
      await this.#read();
      const after = this.find(rollout);
      if (after) onTransition(rollout, before, after);
      return rollout.progress;
    }
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.schedule(() => {
      this.#looking = this.#look().finally(() => this.#again());
    }, LOOK_MS);
  }

  async #look(): Promise<void> {
    try {
      await this.#read();
      for (const rollout of this.#options.rollouts()) await this.#moveOn(rollout);
      this.#isStoreAway = false;
    } catch (error) {
      // Rollouts stand still: calls go on as they were shared out.
      if (!this.#isStoreAway) this.#options.onFailure(error);
      this.#isStoreAway = true;
    }
  }

  async #read(): Promise<void> {
    const { store, book } = this.#options;
    for (const stored of await store.readAll()) {
      this.#stored.set(stored.name, stored);
      book.set(stored.name, stored);
    }
  }

  async #moveOn(rollout: Rollout): Promise<void> {
    const stored = this.find(rollout);
    if (!stored || !isWatched(stored.progress)) return;
    const { store, book, now, onTransition } = this.#options;
    const { plan } = rollout.spec;
    const { candidates: calls } = stored.evidence;
    const isDue =
      advance(plan, stored.progress, { nowMs: now(), calls, failure: undefined }) !== stored.progress;
    if (!isDue && !(await store.hasNewCalls(stored.name))) return;
    const changed = await store.change(stored, (calls, scores) => {
      const { evidence, failure } = learn(rollout, stored, calls, scores);
      const { candidates } = evidence;
      const progress = advance(plan, stored.progress, { nowMs: now(), calls: candidates, failure });
      const reason = progress === stored.progress ? stored.reason : failure ? { failure } : undefined;
      return { ...stored, progress, reason, evidence };
    });
    if (!changed) return;
    this.#stored.set(changed.name, changed);
    book.set(changed.name, changed);
    if (changed.progress.phase !== stored.progress.phase || changed.progress.step !== stored.progress.step)
      onTransition(rollout, stored.progress, changed);
  }
}

/** What is known with these calls and scores, too, and the gate that the candidate fails by it. */
function learn(
  { spec }: Rollout,
  { evidence: known, progress }: StoredRollout,
  rows: readonly CallRow[],
  scores: readonly ScoredCall[],
): { evidence: StoredRollout['evidence']; failure: Failure | undefined } {
  const evidence = new Evidence(spec.gates, known);
  const steps = new StepTallies(known.steps);
  steps.begin(progress.step, progress.since);
  for (const row of rows) {
    const observation = observe(row);
    if (!observation || !steps.isOfIt(row.started_at)) continue;
    evidence.observe(observation);
    steps.observe(observation.side, observation, row.started_at);
  }
  for (const { started_at: startedAt, rollout, score } of scores) {
    const note = rollout === null ? undefined : readRolloutNote(rollout);
    // What another answered in its side's place says nothing of that.
    if (!note || note.flags.includes('failed') || !steps.isOfIt(startedAt)) continue;
    evidence.observeScore(note.side, score);
    steps.observe(note.side, { score }, startedAt);
  }
  return { evidence: { ...evidence.state, steps: steps.state }, failure: evidence.failure };
}

/** What a call's row says of its side. A call that failed there says nothing of times and costs. */
function observe(row: CallRow): Observation | undefined {
  const note = row.rollout === null ? undefined : readRolloutNote(row.rollout);
  if (!note) return undefined;
  const { side, flags } = note;
  const has = (flag: (typeof flags)[number]) => flags.includes(flag);
  const observation: Observation = { side, failed: has('failed'), timedOut: has('timed_out') };
  if (has('read')) {
    Object.assign(observation, {
      refused: has('refused'),
      cutOff: has('cut_off'),
      filtered: has('filtered'),
    });
  }
  if (has('output_judged')) observation.invalidOutput = has('output_invalid');
  if (has('tools_judged')) observation.invalidToolCall = has('tools_invalid');
  if (observation.failed || row.outcome !== 'ok') return observation;
  observation.latencyMs = row.latency_ms;
  if (row.stream === 1 && row.first_token_ms !== null) observation.firstTokenMs = row.first_token_ms;
  if (row.cost_micro_usd !== null) observation.costMicroUsd = row.cost_micro_usd;
  if (row.output_tokens !== null) observation.outputTokens = row.output_tokens;
  return observation;
}
