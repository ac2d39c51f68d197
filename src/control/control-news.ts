import { ConfigError, formatProblem } from '../config/problem.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Event, EventLog } from './event-log.ts';

export interface NewsLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const LEVELS = { info: 'info', warning: 'warn', alarm: 'error' } as const satisfies Record<
  Event['severity'],
  keyof NewsLog
>;

/** What the control plane tells its operators: in the log of the instance, and as an event in the store. */
export class ControlNews {
  readonly #log: NewsLog;
  readonly #events: Pick<EventLog, 'note'>;

  constructor(log: NewsLog, events: Pick<EventLog, 'note'>) {
    this.#log = log;
    this.#events = events;
  }

  tell(severity: Event['severity'], kind: string, message: string, details: JsonObject): void {
    this.#log[LEVELS[severity]]({ event: kind, ...details }, message);
    this.#events.note(kind, severity, message, details);
  }
}

export function listProblems(error: unknown): string[] {
  return error instanceof ConfigError ? error.problems.map(formatProblem) : [String(error)];
}
