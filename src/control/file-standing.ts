import { isDeepStrictEqual } from 'node:util';
import { type ControlNews, listProblems } from './control-news.ts';

/** What is wrong with the file of an instance: it is wrong itself, or something else is in its way. */
export type FileTrouble = 'file_refused' | 'file_pending';

/** How long a file that does not fit what others declare is left alone where nothing changes: a grant may end meanwhile. */
const MISFIT_PAUSE_MS = 30_000;

/** A file that is right by itself, and does not fit what others declare. */
interface Misfit {
  problems: string[];
  /** What it does not fit. */
  revision: number;
  /** Unix milliseconds: when it is tried again all the same. */
  until: number;
}

/** How the file of this instance stands, and whether it is to be tried again without a change of its own. */
export class FileStanding {
  readonly #news: Pick<ControlNews, 'tell'>;
  readonly #now: () => number;
  #trouble: FileTrouble | undefined;
  #misfit: Misfit | undefined;

  constructor({ news, now }: { news: Pick<ControlNews, 'tell'>; now: () => number }) {
    this.#news = news;
    this.#now = now;
  }

  get trouble(): FileTrouble | undefined {
    return this.#trouble;
  }

  /** Whether it is worth to try it at this revision. */
  isDue(revision: number): boolean {
    if (this.#trouble !== 'file_pending') return false;
    const misfit = this.#misfit;
    return misfit === undefined || misfit.revision !== revision || this.#now() >= misfit.until;
  }

  /** Somebody wants it to be looked at: what is wrong is told, also where it was told before. */
  askAgain(): void {
    this.#misfit = undefined;
  }

  refuse(error: unknown): void {
    this.#trouble = 'file_refused';
    this.#misfit = undefined;
    const message = 'The config file is refused: nothing changes.';
    this.#news.tell('alarm', 'config_refused', message, { problems: listProblems(error) });
  }

  /** It is right by itself: what is in its way may go. */
  waitForOthers(error: unknown, revision: number): void {
    const problems = listProblems(error);
    const isTold = isDeepStrictEqual(this.#misfit?.problems, problems);
    this.#trouble = 'file_pending';
    this.#misfit = { problems, revision, until: this.#now() + MISFIT_PAUSE_MS };
    if (isTold) return;
    const message =
      'The config file does not fit what is declared elsewhere: nothing changes. It is tried again when that changes.';
    this.#news.tell('alarm', 'config_refused', message, { problems });
  }

  postpone(error: unknown): void {
    this.#misfit = undefined;
    if (this.#trouble === 'file_pending') return;
    this.#trouble = 'file_pending';
    const message = 'The config file cannot be taken up yet, for no reason of its own: it is tried again.';
    this.#news.tell('warning', 'config_postponed', message, { problems: listProblems(error) });
  }

  accept(): void {
    const wasRefused = this.#trouble === 'file_refused' || this.#misfit !== undefined;
    this.#trouble = undefined;
    this.#misfit = undefined;
    if (!wasRefused) return;
    this.#news.tell('info', 'config_accepted', 'The config file is right again, and taken up.', {});
  }
}
