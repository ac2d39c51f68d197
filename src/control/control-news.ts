import type { LoadedConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Change } from './change.ts';
import { entryId } from './entry.ts';
import type { Event, EventLog, Schedule } from './event-log.ts';
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

/** What may happen with every call while something is away is an event of its kind so often. */
const EVENT_EVERY_MS = 60_000;

export interface NewsOptions {
  log: NewsLog;
  events: Pick<EventLog, 'note'>;
  schedule: Schedule;
}

interface Told {
  severity: Event['severity'];
  kind: string;
  message: string;
  details: JsonObject;
}

/** An event of what was told less than a minute ago. */
interface Waiting {
  note: Note;
  /** How many before it were no events. */
  untold: number;
  /** Of all of them together, where they are counted. */
  calls: number;
}

type Note = (untold: number, calls: number) => void;

/** What the gateway tells its operators: in the log of the instance, and as an event in the store. */
export class ControlNews {
  readonly log: NewsLog;
  readonly #events: Pick<EventLog, 'note'>;
  readonly #schedule: Schedule;
  /** By kind and what it is about, for a minute from each event on: the last that came since, if one did. */
  readonly #often = new Map<string, { waiting: Waiting | undefined; cancel: () => void }>();

  constructor({ log, events, schedule }: NewsOptions) {
    this.log = log;
    this.#events = events;
    this.#schedule = schedule;
  }

  /**
   * Tells what may happen again and again: each time in the log, and as an event once a minute of each kind: the first at once, and of
   * those in a minute the last when it is over, so that the newest event says how things are.
   *
   * @param logged what the log is told in place of the details
   * @param of what it is about, where that of one thing is not to hide that of another
   */
  tellOften(
    severity: Event['severity'],
    kind: string,
    message: string,
    details: JsonObject,
    logged: object = details,
    of = '',
  ): void {
    this.log[LEVELS[severity]]({ event: kind, ...logged }, message);
    this.#noteOften(`${kind}\n${of}`, 0, (untold) =>
      this.#events.note(kind, severity, message, untold > 0 ? { ...details, untold } : details),
    );
  }

  /** The same of so many calls: each event has those of all that were told in the log since the one before. */
  tellCounted(
    severity: Event['severity'],
    kind: string,
    message: string,
    details: JsonObject & { calls: number },
    of = '',
  ): void {
    this.log[LEVELS[severity]]({ event: kind, ...details }, message);
    this.#noteOften(`${kind}\n${of}`, details.calls, (_untold, calls) =>
      this.#events.note(kind, severity, message, { ...details, calls }),
    );
  }

  #noteOften(subject: string, calls: number, note: Note): void {
    const often = this.#often.get(subject);
    if (!often) {
      note(0, calls);
      this.#pause(subject);
      return;
    }
    const { waiting } = often;
    often.waiting = {
      note,
      untold: waiting ? waiting.untold + 1 : 0,
      calls: (waiting?.calls ?? 0) + calls,
    };
  }

  /** Tells what waits for its minute. */
  close(): void {
    for (const { waiting, cancel } of this.#often.values()) {
      cancel();
      waiting?.note(waiting.untold, waiting.calls);
    }
    this.#often.clear();
  }

  #pause(subject: string): void {
    const cancel = this.#schedule(() => this.#goOn(subject), EVENT_EVERY_MS);
    this.#often.set(subject, { waiting: undefined, cancel });
  }

  #goOn(subject: string): void {
    const waiting = this.#often.get(subject)?.waiting;
    this.#often.delete(subject);
    if (!waiting) return;
    waiting.note(waiting.untold, waiting.calls);
    this.#pause(subject);
  }

  tell(severity: Event['severity'], kind: string, message: string, details: JsonObject): void {
    this.log[LEVELS[severity]]({ event: kind, ...details }, message);
    this.#events.note(kind, severity, message, details);
  }

  /**
   * Tells something once over all instances and starts; `key`: what it is about. The log of each instance that comes to it has it, but for
   * what is no news there (`isNews`): whoever was to tell of it may have been killed before it was written.
   */
  tellOnce(key: string, { severity, kind, message, details }: Told, isNews = true): void {
    if (isNews) this.log[LEVELS[severity]]({ event: kind, ...details }, message);
    this.#events.note(kind, severity, message, details, { once: key });
  }

  /** Tells that what was told once is over: it may be told again. */
  takeBack(key: string, { severity, kind, message, details }: Told): void {
    this.log[LEVELS[severity]]({ event: kind, ...details }, message);
    this.#events.note(kind, severity, message, details, { takesBack: key });
  }

  /** `earlier`: the revision that had the same file before another was read. `madeAt`: what the instance was that made it. */
  tellOfRevision(
    { number, author, source, changes }: NewRevision,
    earlier: number | undefined,
    madeAt: 'newest' | 'behind' = 'newest',
  ): void {
    const touched = changes.slice(0, MOST_NAMED).map((change) => entryId(change));
    const details = { revision: number, author, source, changes: changes.length, touched };
    const standing = madeAt === 'newest' ? 'is in force' : 'was made at an instance that was behind';
    this.tell('info', 'config_changed', `Revision ${number} ${standing}.`, details);
    if (earlier === undefined) return;
    const message = `The file of revision ${earlier} is in force again, as revision ${number}: the newer one is not any more.`;
    this.tell('warning', 'config_file_again', message, { revision: number, earlier, file: author });
  }

  /** `revision` is in force, `newest` is refused here. */
  tellOfRefusal(revision: number, newest: number, error: unknown): void {
    const message = 'A newer revision cannot be put in force on an instance.';
    this.tell('alarm', 'config_behind', message, { revision, newest, reason: reasonOf(error) });
  }

  /** What of a refused revision is in force here all the same. */
  tellOfTakingAway(revision: number, newest: number, changes: readonly Change[]): void {
    const touched = changes.slice(0, MOST_NAMED).map((change) => entryId(change));
    const message =
      'What a newer revision revoked is not valid any more on an instance that cannot put it in force.';
    this.tell('warning', 'config_behind_revoked', message, {
      revision,
      newest,
      changes: changes.length,
      touched,
    });
  }

  tellOfStaying(revision: number, newest: number, error: unknown): void {
    const message =
      'What a newer revision revoked is still valid on an instance that cannot put it in force: stop the instance, or mend it.';
    this.tell('alarm', 'config_behind_valid', message, { revision, newest, reason: reasonOf(error) });
  }

  /** `declared`: how many entries a file of before declared, which an instance without one serves by. */
  tellOfAdoption({ config: { file } }: LoadedConfig, declared: number, revision: number): void {
    if (declared === 0) return;
    const why = file === null ? 'There is no config file' : `The config file ${file} is empty`;
    const message = `${why}, and the store has what a file declared: this instance serves by that.`;
    this.tell('warning', 'config_adopted', message, { revision, declaredByFile: declared });
  }

  /** Of what is stored already, and does nothing. */
  tellOfIdle(problems: string[]): void {
    const message =
      'Limits on models that are not there limit nothing: name models that are, or take them away.';
    const details = { count: problems.length, problems: problems.slice(0, MOST_NAMED) };
    this.tell('warning', 'config_idle', message, details);
  }

  tellOfCredentialFile(error: unknown): void {
    const message = 'A file that a credential is in is refused: nothing changes.';
    this.tell('alarm', 'credential_file_refused', message, { problems: listProblems(error) });
  }

  tellOfRestart(sections: string[]): void {
    if (sections.length === 0) return;
    const message = `A restart is needed before these are in effect: ${sections.join(', ')}.`;
    this.tell('warning', 'config_restart_needed', message, { sections });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function listProblems(error: unknown): string[] {
  return error instanceof ConfigError ? error.problems.map(formatProblem) : [String(error)];
}
