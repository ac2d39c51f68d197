import { closeSync, writeSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { InFlight } from './in-flight.ts';
import { becomeOwner, type OwnerLock, openSegment } from './journal-directory.ts';
import { type StartedCall, writeHead, writeRecordLine, writeStartLine } from './journal-lines.ts';
import { type Schedule, scheduleTimeout } from './ledger.ts';
import type { UsageRecord } from './record.ts';

/** What waits until what was noted before it is written: a request for a provider, the last bytes of an answer. */
export interface Waiting {
  /** Goes on. It keeps what goes wrong to itself: others wait behind it. */
  proceed(): void;
}

/** A call that was noted as started and has no record yet. */
export interface StartNote {
  readonly line: string;
  /** What the line of its record begins with, too. */
  readonly head: string;
  /** Where the line is. */
  segment: Segment | undefined;
  /** Its place among those in flight. */
  slot: number;
}

export type JournalProblem =
  /** Nothing can be written, and calls go on: what is noted is kept in memory and written once it can be. */
  | { kind: 'journal_failed'; error: unknown; retryInMs: number }
  | { kind: 'journal_recovered' }
  /** What waited threw: a mistake of ours, which the others that waited do not pay for. */
  | { kind: 'waiting_failed'; error: unknown }
  /** A segment whose records are all stored could not be deleted: the next start reads it again, to no effect. */
  | { kind: 'segment_kept'; path: string; error: unknown };

export interface JournalOptions {
  directory: string;
  onProblem: (problem: JournalProblem) => void;
  schedule?: Schedule;
  /** From this size on a segment is followed by the next. */
  segmentBytes?: number;
}

/** The records that are not in the store yet. */
export interface PendingRecords {
  records: readonly UsageRecord[];
  /** The number of the newest. */
  newest: number;
}

/** A file of the journal. */
export interface Segment {
  readonly path: string;
  readonly fd: number;
  bytes: number;
  /** The newest record in it, by its number in the ledger. */
  lastRecord: number;
  /** It holds records that are nowhere else, not even in memory: they are to be read from it. */
  overflow: boolean;
}

/** About 20,000 calls: what is read again at the next start after a kill, in a third of a second. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** What a busy turn writes fits in it. */
const WRITE_BUFFER_BYTES = 64 * 1024;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * The append-only journal: what a killed process still has to tell. What is noted in one turn of the event loop is
 * handed to the kernel in one write at its end, and what waits for it goes on then: a write alone costs as much as
 * ten that share one.
 */
export class Journal {
  readonly #directory: string;
  readonly #onProblem: JournalOptions['onProblem'];
  #pending: () => PendingRecords = () => ({ records: [], newest: 0 });
  readonly #schedule: Schedule;
  readonly #segmentBytes: number;

  #lock: OwnerLock | undefined;
  /** What is written to; `undefined` while nothing can be. */
  #segment: Segment | undefined;
  #sealed: Segment[] = [];
  #segmentsMade = 0;
  readonly #open = new InFlight<StartNote>();
  readonly #buffer = Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
  #lines = '';
  /** What could not be written and holds records that are nowhere else. */
  #unwritten = '';
  #waiting: Waiting[] = [];
  #flushDue = false;
  #failuresInARow = 0;
  #cancelRetry: (() => void) | undefined;
  #stored = 0;
  #deleting: Promise<void> = Promise.resolve();
  readonly #flushDueNow = () => this.flush();

  constructor(options: JournalOptions) {
    this.#directory = options.directory;
    this.#onProblem = options.onProblem;
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    try {
      this.#openNext();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Says where a journal that has to begin anew finds the records that are not stored. */
  rewriteFrom(pending: () => PendingRecords): void {
    this.#pending = pending;
  }

  /** Whether what is noted survives the process. */
  get isWritable(): boolean {
    return this.#segment !== undefined;
  }

  /** Notes a call, before its first upstream request. */
  noteStart(call: StartedCall): StartNote {
    const head = writeHead(call);
    const line = writeStartLine(call, head);
    const note: StartNote = { line, head, segment: this.#segment, slot: 0 };
    this.#open.add(note);
    if (this.#segment) this.#lines += line;
    return note;
  }

  /**
   * Notes a record; `number` grows with each. `overflow`: it is kept nowhere but here. `started`: the call's note, where
   * its start was noted.
   */
  noteRecord(record: UsageRecord, number: number, overflow: boolean, started?: StartNote): void {
    const segment = this.#segment;
    if (!segment) return;
    this.#lines += writeRecordLine(record, started?.head);
    segment.lastRecord = number;
    if (overflow) segment.overflow = true;
    this.#dueSoon();
  }

  /** The call of a note has its record, which was noted before this. */
  settle(note: StartNote): void {
    this.#open.remove(note);
  }

  /** Lets `waiting` go on when all that was noted up to now is written. */
  wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#dueSoon();
  }

  #dueSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(this.#flushDueNow);
  }

  /** Writes what was noted and lets go on what waits for it. */
  flush(): void {
    this.#flushDue = false;
    const lines = this.#lines;
    if (lines !== '') {
      this.#lines = '';
      this.#tryToWrite(lines);
    }
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const next of waiting) {
      try {
        next.proceed();
      } catch (error) {
        this.#onProblem({ kind: 'waiting_failed', error });
      }
    }
  }

  /** All records up to this number are in the store: segments with nothing else are deleted. */
  noteStored(number: number): void {
    this.#stored = number;
    if (this.#sealed.length === 0) return;
    for (const segment of this.#sealed.filter((sealed) => this.#isStored(sealed))) this.drop(segment);
  }

  /** Takes no more notes in segments with an overflow, and gives them: to be dropped when their records are stored. */
  sealOverflow(): Segment[] {
    this.flush();
    if (this.#segment?.overflow) this.#tryToOpenNext();
    return this.#sealed.filter((segment) => segment.overflow);
  }

  /** Forgets a sealed segment. Calls that it notes as started and that still run are noted anew before. */
  drop(segment: Segment): void {
    this.#carryOver(segment);
    if (this.#open.list().some((note) => note.segment === segment)) return;
    this.#sealed = this.#sealed.filter((sealed) => sealed !== segment);
    this.#deleting = Promise.all([this.#deleting, this.#delete(segment)]).then(() => undefined);
  }

  /** Writes what was noted. Where all is stored nothing is left behind; what is not is found at the next start. */
  async close(): Promise<void> {
    this.flush();
    this.#cancelRetry?.();
    if (this.#segment) this.#seal(this.#segment);
    for (const segment of this.#sealed.filter((sealed) => this.#isStored(sealed))) this.drop(segment);
    await this.#deleting;
    if (this.#sealed.length === 0) this.#lock?.release();
    else this.#lock?.abandon();
  }

  #isStored(segment: Segment): boolean {
    return segment.lastRecord <= this.#stored && !segment.overflow;
  }

  #carryOver(segment: Segment): void {
    const current = this.#segment;
    if (!current) return;
    const notes = this.#open.list().filter((note) => note.segment === segment);
    for (const note of notes) this.#lines += note.line;
    // Also without notes: a record that is not written yet may be of a call whose start is noted only here.
    this.flush();
    if (this.#failuresInARow > 0) return;
    for (const note of notes) note.segment = current;
  }

  async #delete({ path }: Segment): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      this.#onProblem({ kind: 'segment_kept', path, error });
    }
  }

  #tryToWrite(lines: string): void {
    try {
      this.#write(lines);
      if (this.#segment && this.#segment.bytes >= this.#segmentBytes) this.#openNext();
    } catch (error) {
      if (this.#segment?.overflow) this.#unwritten += lines;
      this.#fail(error);
    }
  }

  #tryToOpenNext(): void {
    try {
      this.#openNext();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A write that ends half-way is one that failed: what is written next goes to another file. */
  #write(lines: string): void {
    const segment = this.#segment;
    if (!segment) return;
    // In UTF-8 a UTF-16 unit takes three bytes at most.
    const fits = lines.length * 3 <= this.#buffer.length;
    const bytes = fits ? this.#buffer : Buffer.from(lines);
    const length = fits ? bytes.write(lines) : bytes.length;
    const written = writeSync(segment.fd, bytes, 0, length);
    if (written < length) throw new Error(`only ${written} of ${length} bytes could be written`);
    segment.bytes += written;
  }

  #openNext(): Segment {
    this.#lock ??= becomeOwner(this.#directory);
    this.#segmentsMade += 1;
    const { path, fd } = openSegment(this.#directory, this.#lock.owner, this.#segmentsMade);
    if (this.#segment) this.#seal(this.#segment);
    this.#segment = { path, fd, bytes: 0, lastRecord: 0, overflow: false };
    return this.#segment;
  }

  #seal(segment: Segment): void {
    this.#segment = undefined;
    this.#sealed.push(segment);
    closeSync(segment.fd);
  }

  #fail(error: unknown): void {
    if (this.#segment) this.#seal(this.#segment);
    const retryInMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failuresInARow, LONGEST_RETRY_MS);
    this.#failuresInARow += 1;
    this.#onProblem({ kind: 'journal_failed', error, retryInMs });
    this.#cancelRetry?.();
    this.#cancelRetry = this.#schedule(() => this.#beginAnew(), retryInMs);
  }

  /** A new segment with all that is under way or not stored: what happened meanwhile, and what was in the failed write. */
  #beginAnew(): void {
    this.#cancelRetry = undefined;
    try {
      this.#write(this.#rewrite());
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#unwritten = '';
    this.#failuresInARow = 0;
    this.#onProblem({ kind: 'journal_recovered' });
  }

  #rewrite(): string {
    const segment = this.#openNext();
    const { records, newest } = this.#pending();
    segment.lastRecord = newest;
    segment.overflow = this.#unwritten !== '';
    let lines = this.#unwritten;
    for (const note of this.#open.list()) {
      note.segment = segment;
      lines += note.line;
    }
    for (const record of records) lines += writeRecordLine(record);
    return lines;
  }
}
