import type { CallRow } from '../store/schema.ts';
import { type RolloutNote, readRolloutNote } from '../usage/rollout-note.ts';
import { Evidence, type GateReading, type Observation } from './gates.ts';
import { advance, afterCommand, type Command, DRAFT, isWatched, mayDo, type Progress } from './progress.ts';
import type { Rollout, RolloutBook } from './rollout-book.ts';
import type { Reason, RolloutStore, StoredRollout } from './rollout-store.ts';

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

  /** By gate, what is known of a rollout's candidate. */
  evidenceOf(rollout: Rollout): GateReading[] {
    return new Evidence(rollout.spec.gates, this.find(rollout)?.evidence).readings();
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
        const progress = afterCommand(command, before, now(), 0, spec.plan);
        const begun = { name: spec.name, release: spec.release, progress, reason: { by } };
        await store.begin(begun, spec.gates);
      } else if (stored) {
        const reason: Reason = { by };
        const changed = await store.change(stored, (calls) => {
          const evidence = learn(rollout, stored, calls);
          const progress = afterCommand(command, before, now(), evidence.candidates);
          return { ...stored, progress, reason, evidence: evidence.state };
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
    const changed = await store.change(stored, (rows) => {
      const evidence = learn(rollout, stored, rows);
      const { failure, candidates } = evidence;
      const progress = advance(plan, stored.progress, { nowMs: now(), calls: candidates, failure });
      const reason = progress === stored.progress ? stored.reason : failure ? { failure } : undefined;
      return { ...stored, progress, reason, evidence: evidence.state };
    });
    if (!changed) return;
    this.#stored.set(changed.name, changed);
    book.set(changed.name, changed);
    if (changed.progress.phase !== stored.progress.phase || changed.progress.step !== stored.progress.step)
      onTransition(rollout, stored.progress, changed);
  }
}

function learn({ spec }: Rollout, { evidence: known }: StoredRollout, rows: readonly CallRow[]): Evidence {
  const evidence = new Evidence(spec.gates, known);
  for (const row of rows) {
    const judged = readJudged(row);
    if (judged) evidence.observeScores(judged.scores);
    const observation = observe(row);
    if (observation) evidence.observe(observation);
  }
  return evidence;
}

/** Of a judge's call, what it says of both sides. */
function readJudged({ rollout }: CallRow): Pick<RolloutNote, 'scores'> | undefined {
  const note = rollout === null ? undefined : readRolloutNote(rollout);
  return note?.flags.includes('judged') ? note : undefined;
}

/** What a call's row says of its side. A call that failed there says nothing of times and costs. */
export function observe(row: CallRow): Observation | undefined {
  const note = row.rollout === null ? undefined : readRolloutNote(row.rollout);
  if (!note || note.flags.includes('judged')) return undefined;
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
  if (observation.failed || row.outcome !== 'ok') return observation;
  observation.latencyMs = row.latency_ms;
  if (row.stream === 1 && row.first_token_ms !== null) observation.firstTokenMs = row.first_token_ms;
  if (row.cost_micro_usd !== null) observation.costMicroUsd = row.cost_micro_usd;
  if (row.output_tokens !== null) observation.outputTokens = row.output_tokens;
  return observation;
}
