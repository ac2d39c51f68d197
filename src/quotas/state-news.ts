import type { JsonObject } from '../conversation/json.ts';

export interface StateNewsOptions {
  /** When the shared counters are away: count in this process alone, or let no call through that has limits. */
  onStateLoss: 'local' | 'deny';
  now: () => number;
  /** Tells the operator. */
  tell(severity: 'info' | 'alarm', kind: string, message: string, details: JsonObject): void;
}

const MEANWHILE = {
  deny: 'calls that have limits are refused',
  local: 'calls are counted in this process alone',
};

/** What the operator is told of the shared counters: that they are away, back, and what did not get there. */
export class StateNews {
  readonly #options: StateNewsOptions;
  #awayAtMs: number | undefined;

  constructor(options: StateNewsOptions) {
    this.#options = options;
  }

  tellAway(reason: string): void {
    const { onStateLoss, now, tell } = this.#options;
    this.#awayAtMs = now();
    tell('alarm', 'quota_state_lost', `the shared counters of limits are away: ${MEANWHILE[onStateLoss]}`, {
      reason,
      onStateLoss,
    });
  }

  /** Nothing where they were not away. `takeLost`: how many settlements did not get there, asked once. */
  tellBack(takeLost: () => number): void {
    if (this.#awayAtMs === undefined) return;
    const { now, tell } = this.#options;
    const details = { awayMs: now() - this.#awayAtMs, settlementsLost: takeLost() };
    const message = 'the shared counters of limits are back: what was counted alone was brought in';
    tell('info', 'quota_state_back', message, details);
    this.#awayAtMs = undefined;
  }

  tellUnsent(severity: 'info' | 'alarm', outcome: string, settlements: number): void {
    const message = `the shared counters of limits are away: ${outcome}`;
    this.#options.tell(severity, 'quota_state_unsent', message, { settlements });
  }
}
