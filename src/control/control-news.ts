import type { LoadedConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { JsonObject } from '../conversation/json.ts';
import { entryId } from './entry.ts';
import type { Event, EventLog } from './event-log.ts';
import type { NewRevision } from './revision-store.ts';

export interface NewsLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How many changed entries an event names. */
const MOST_NAMED = 20;

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

  /** `earlier`: the revision that had the same file before another was read. */
  tellOfRevision({ number, author, source, changes }: NewRevision, earlier: number | undefined): void {
    const touched = changes.slice(0, MOST_NAMED).map((change) => entryId(change));
    const details = { revision: number, author, source, changes: changes.length, touched };
    this.tell('info', 'config_changed', `Revision ${number} is in force.`, details);
    if (earlier === undefined) return;
    const message = `The file of revision ${earlier} is in force again, as revision ${number}: the newer one is not any more.`;
    this.tell('warning', 'config_file_again', message, { revision: number, earlier, file: author });
  }

  /** `revision` is in force, `newest` is refused here. */
  tellOfRefusal(revision: number, newest: number, error: unknown): void {
    const message = 'A newer revision cannot be put in force on an instance.';
    const reason = error instanceof Error ? error.message : String(error);
    this.tell('alarm', 'config_behind', message, { revision, newest, reason });
  }

  /** `declared`: how many entries a file of before declared, which an instance without one serves by. */
  tellOfAdoption({ config: { file } }: LoadedConfig, declared: number, revision: number): void {
    if (declared === 0) return;
    const why = file === null ? 'There is no config file' : `The config file ${file} is empty`;
    const message = `${why}, and the store has what a file declared: this instance serves by that.`;
    this.tell('warning', 'config_adopted', message, { revision, declaredByFile: declared });
  }

  tellOfRestart(sections: string[]): void {
    if (sections.length === 0) return;
    const message = `A restart is needed before these are in effect: ${sections.join(', ')}.`;
    this.tell('warning', 'config_restart_needed', message, { sections });
  }
}

export function listProblems(error: unknown): string[] {
  return error instanceof ConfigError ? error.problems.map(formatProblem) : [String(error)];
}
