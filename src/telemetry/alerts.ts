import { isDeepStrictEqual } from 'node:util';
import type { AlertConfig } from '../config/resolve.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { UsageRecord } from '../usage/record.ts';
import { AlertRule, type Reading } from './alert-rule.ts';

export interface AlertsOptions {
  /** Those in force. */
  rules(): Readonly<Record<string, AlertConfig>>;
  /** Unix milliseconds. */
  now(): number;
  schedule(task: () => void, delayMs: number): () => void;
  tell(severity: 'info' | AlertConfig['severity'], kind: string, message: string, details: JsonObject): void;
}

const EVALUATE_EVERY_MS = 10_000;

/** Tells by events when too much fails, takes too long or costs too much, by the calls of this instance. */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #rules = new Map<string, AlertRule>();
  #seen: Readonly<Record<string, AlertConfig>> | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.schedule(() => {
      this.evaluate();
      this.start();
    }, EVALUATE_EVERY_MS);
  }

  /** Nobody would clear what is raised: it is, and raised again at the next start where its cause is still there. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const [name, rule] of this.#rules) if (rule.isRaised) this.#tellEnd(name, 'the instance stops');
    this.#rules.clear();
  }

  /** Of each record once. */
  observe(records: readonly UsageRecord[]): void {
    this.#follow();
    if (this.#rules.size === 0) return;
    const now = this.#options.now();
    for (const rule of this.#rules.values()) for (const record of records) rule.observe(record, now);
  }

  evaluate(): void {
    this.#follow();
    const now = this.#options.now();
    for (const [name, rule] of this.#rules) {
      const news = rule.evaluate(now);
      if (!news) continue;
      const reading = rule.read(now);
      const severity = news === 'raised' ? rule.config.severity : 'info';
      const message = `The alert '${name}' is ${news}: ${describe(reading)}.`;
      this.#options.tell(severity, `alert_${news}`, message, { alert: name, ...reading });
    }
  }

  /** Takes up what the configuration has become; rules that are as they were keep what they know. */
  #follow(): void {
    const configured = this.#options.rules();
    if (configured === this.#seen) return;
    this.#seen = configured;
    for (const [name, rule] of this.#rules) {
      if (isDeepStrictEqual(configured[name], rule.config)) continue;
      this.#rules.delete(name);
      if (rule.isRaised) this.#tellEnd(name, 'its rule is another one, or gone');
    }
    for (const [name, config] of Object.entries(configured)) {
      if (!this.#rules.has(name)) this.#rules.set(name, new AlertRule(config));
    }
  }

  #tellEnd(alert: string, reason: string): void {
    this.#options.tell('info', 'alert_cleared', `The alert '${alert}' is cleared: ${reason}.`, {
      alert,
      reason,
    });
  }
}

function describe({ metric, value, threshold, calls, overSeconds }: Reading): string {
  const share = `${round(value * 100)} % of ${calls} calls`;
  const within = `within ${overSeconds} s`;
  switch (metric) {
    case 'errorRate':
      return `${share} failed ${within}, the threshold is ${round(threshold * 100)} %`;
    case 'p95Latency':
      return `${share} took ${threshold / 1000} s or longer ${within}, the threshold is 5 %`;
    case 'p95FirstToken':
      return `${share} waited ${threshold / 1000} s or longer for their first output ${within}, the threshold is 5 %`;
    case 'spendUsd':
      return `${calls} calls cost $${round(value)} ${within}, the threshold is $${threshold}`;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
