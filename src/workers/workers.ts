import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exit, Member } from './member.ts';
import type { Told, ToPrimary, ToWorker } from './messages.ts';
import { RestartPause } from './restart-pause.ts';
import { Scrapes } from './scrapes.ts';

export interface WorkersOptions {
  count: number;
  host: string;
  /** 0: any; then all have that of the first. */
  port: number;
  /** How long a worker may drain. */
  drainTimeoutMs: number;
  log: Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>;
}

/** A new worker of a rolling restart that does not take calls after this long is given up. */
const START_LIMIT_MS = 120_000;

/** What a worker has to do beside draining before it is gone: its records go to the store. */
const LAST_WORK_MS = 30_000;

/** What waits for a worker that can tell it. */
const MOST_UNTOLD = 100;

/** One of the places that workers are in; a worker that ends is followed by another. */
interface Place {
  readonly number: number;
  readonly pause: RestartPause;
  member: Member | undefined;
  /** One that is to take the place over. */
  next: Member | undefined;
}

/** The processes that share a port: starts them, replaces those that end, and ends them. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #places: readonly Place[];
  readonly #members = new Set<Member>();
  readonly #scrapes: Scrapes;
  readonly #untold: Told[] = [];
  readonly #ending = new AbortController();
  /** What workers ask for: Node gives those who ask for the same the same, also where that is any port. */
  #port: number;
  /** What they have got. */
  #portInUse: number | undefined;
  #deaths = 0;
  #hasStarted = false;
  #rolling: Promise<void> | undefined;
  #rollAgain = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#places = Array.from({ length: options.count }, (_, at) => ({
      ...{ number: at + 1, pause: new RestartPause(), member: undefined, next: undefined },
    }));
    this.#scrapes = new Scrapes({ members: () => this.#members, deaths: () => this.#deaths });
    // Workers take turns at connections; left to the system, most would go to one of them.
    cluster.schedulingPolicy = cluster.SCHED_RR;
  }

  /** Of those that take calls, by their places. */
  get pids(): number[] {
    return this.#places.flatMap(({ member }) => (member?.isListening ? [member.pid] : []));
  }

  /**
   * Starts one, which brings the store up to date and shows that it can be done, and then the others. Gives where they listen.
   *
   * @throws StartFailure where one of them could not start; then all have ended
   */
  async start(): Promise<string> {
    try {
      const [first, ...others] = this.#places.map((place) => () => this.#fork(place).listening);
      const url = (await first?.()) ?? '';
      this.#portInUse = Number(new URL(url).port) || undefined;
      await Promise.all(others.map((start) => start()));
      this.#hasStarted = true;
      // One that took calls and is gone by now.
      for (const place of this.#places) if (!place.member) void this.#replace(place, 0);
      return url;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Has all read their file again. */
  reload(): void {
    this.#sendAll({ kind: 'reload' });
  }

  /**
   * Replaces one worker after another by one that runs what is on disk now. Where a new one cannot start, those of before go on.
   * Asked for while it is under way, it is done once more.
   */
  async restart(): Promise<void> {
    if (this.#rolling) {
      this.#rollAgain = true;
      return this.#rolling;
    }
    this.#rolling = this.#restartAll();
    await this.#rolling;
    this.#rolling = undefined;
  }

  /** Lets all finish what is under way; gives whether all ended well. */
  async stop(): Promise<boolean> {
    this.#ending.abort();
    const members = [...this.#members];
    for (const member of members) {
      member.isLeaving = true;
      member.send({ kind: 'stop' });
    }
    const exits = await Promise.all(members.map(({ exited }) => exited));
    return exits.every(({ code }) => code === 0);
  }

  /** There is no time left for those that stop. */
  hurry(): void {
    for (const member of this.#members) member.isHurried = true;
    this.#sendAll({ kind: 'hurry' });
  }

  kill(): void {
    for (const member of this.#members) {
      member.isHurried = true;
      member.kill();
    }
  }

  #fork(place: Place): Member {
    const { host } = this.#options;
    // Nobody has it open any more.
    if (this.#members.size === 0) this.#port = this.#portInUse ?? this.#port;
    const member = new Member(
      { number: place.number, host, port: this.#port },
      performance.now(),
      (message) => this.#hear(member, message),
    );
    this.#members.add(member);
    if (place.member) place.next = member;
    else place.member = member;
    void member.exited.then((exit) => this.#afterExit(place, member, exit));
    member.listening.then(
      () => this.#tellWhatWaits(member),
      () => undefined,
    );
    return member;
  }

  #afterExit(place: Place, member: Member, exit: Exit): void {
    this.#members.delete(member);
    this.#scrapes.end(member);
    if (place.next === member) place.next = undefined;
    if (place.member === member) {
      place.member = place.next;
      place.next = undefined;
    }
    // One that ends well has finished its calls, whoever told it to.
    const isDeath = exit.code !== 0 && !member.isHurried;
    if (isDeath && this.#hasStarted && !member.isOnTrial) this.#tellDeath(member, exit);
    if (!this.#hasStarted || member.isLeaving || this.#ending.signal.aborted || place.member) return;
    void this.#replace(place, performance.now() - member.startedAtMs);
  }

  async #replace(place: Place, livedMs: number): Promise<void> {
    const pauseMs = place.pause.next(livedMs);
    try {
      await sleep(pauseMs, undefined, { signal: this.#ending.signal });
    } catch {
      // All end.
      return;
    }
    // A rolling restart may have been there first.
    if (place.member) return;
    const member = this.#fork(place);
    try {
      await member.listening;
      this.#tell('info', 'worker_replaced', 'A worker that had ended was replaced.', {
        ...{ worker: place.number, pid: member.pid },
      });
    } catch {
      // It is followed by the next.
    }
  }

  async #restartAll(): Promise<void> {
    do {
      this.#rollAgain = false;
      for (const place of this.#places) {
        if (this.#ending.signal.aborted) return;
        if (!(await this.#restartOne(place))) return;
      }
      const message = 'All workers were replaced by new ones.';
      this.#tell('info', 'workers_restarted', message, { pids: this.pids });
    } while (this.#rollAgain);
  }

  /** Gives whether a new one has the place. */
  async #restartOne(place: Place): Promise<boolean> {
    const old = place.member;
    const member = this.#fork(place);
    const tooLate = setTimeout(() => member.kill(), START_LIMIT_MS);
    member.isOnTrial = true;
    try {
      await member.listening;
    } catch {
      const { code, signal } = await member.exited;
      const message =
        'A new worker could not start: the workers are not replaced, and those of before go on. Its log says why.';
      if (!this.#ending.signal.aborted)
        this.#tell('alarm', 'workers_restart_failed', message, { worker: place.number, code, signal });
      return false;
    } finally {
      clearTimeout(tooLate);
      member.isOnTrial = false;
    }
    if (this.#ending.signal.aborted) return false;
    place.member = member;
    place.next = undefined;
    if (old) await this.#letGo(old);
    return true;
  }

  async #letGo(member: Member): Promise<void> {
    member.isLeaving = true;
    member.send({ kind: 'leave' });
    const overdue = setTimeout(() => {
      member.isOverdue = true;
      member.kill();
    }, this.#options.drainTimeoutMs + LAST_WORK_MS);
    await member.exited;
    clearTimeout(overdue);
  }

  #hear(member: Member, message: ToPrimary): void {
    switch (message.kind) {
      case 'changed':
        for (const other of this.#members) if (other !== member) other.send({ kind: 'look' });
        return;
      case 'metrics':
        this.#scrapes.take(member, message.readings, message.question);
        return;
      case 'scrape': {
        const { question } = message;
        void this.#scrapes.render().then((text) => member.send({ kind: 'page', question, text }));
      }
    }
  }

  #tellDeath(member: Member, { code, signal }: Exit): void {
    this.#deaths += 1;
    const details = { worker: member.seat, pid: member.pid, code, signal };
    this.#tell('alarm', 'worker_died', deathOf(member), details);
  }

  /** In the log here, and as an event by a worker, which has the store. */
  #tell(severity: Told['severity'], kind: string, message: string, details: Told['details']): void {
    const level = severity === 'alarm' ? 'error' : 'info';
    this.#options.log[level]({ event: kind, ...details }, message);
    if (this.#untold.length < MOST_UNTOLD) this.#untold.push({ severity, kind, message, details });
    const teller = [...this.#members].find(({ isListening, isLeaving }) => isListening && !isLeaving);
    if (teller) this.#tellWhatWaits(teller);
  }

  #tellWhatWaits(teller: Member): void {
    for (const event of this.#untold.splice(0)) teller.send({ kind: 'event', event });
  }

  #sendAll(message: ToWorker): void {
    for (const member of this.#members) member.send(message);
  }
}

function deathOf({ tookCalls, isOverdue }: Member): string {
  if (isOverdue)
    return 'A worker had not ended long after it was told to go, and was killed: calls that it had are cut off.';
  return tookCalls
    ? 'A worker ended by itself: calls that it had are cut off.'
    : 'A worker could not start in the place of one that ended: its log says why, and it is tried again.';
}
