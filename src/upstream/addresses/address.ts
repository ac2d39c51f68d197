import { FailureRow } from '../failure-row.ts';

/** A server as a look-up finds it. */
export interface FoundAddress {
  /** Of one that goes by its own name; absent: it is a place of the base URL's host, whose name it goes by. */
  scheme?: 'http:' | 'https:' | undefined;
  /** A name or an IP address, without brackets. */
  host: string;
  /** Absent: that of the scheme, or of the base URL. */
  port?: number | undefined;
  /** Path of a URL that was listed. */
  path?: string | undefined;
  /** Share among those of one priority: 0 is hardly any, where others have more. */
  weight: number;
  /** The lowest that is well is used, as in SRV records (RFC 2782). */
  priority: number;
}

/** Where requests of an account can go, in place of its base URL's host. */
export class Address {
  /** Scheme, host and port that are connected to. */
  readonly origin: string;
  /** The origin whose name it goes by, in the header `host` and in its certificate; absent: its own. */
  readonly name: string | undefined;
  /** Tells it from others that connections go to. */
  readonly key: string;
  weight: number;
  priority: number;
  /** Attempts that are under way. */
  inFlight = 0;
  /** It is not listed any more: what is under way ends, and nothing is kept open. */
  isGone = false;
  isWell = true;
  /** A check of it went well once. */
  isProven = false;
  /** Unix milliseconds: before which it is not to be called, by its own word. */
  restsUntilMs = 0;
  /** Unix milliseconds: before which it is not to be checked, by its own word. */
  unaskedUntilMs = 0;
  /** Unix milliseconds: since when it is well, or not. */
  sinceMs: number;
  /** Of the last check, or connection, that failed. */
  lastError: string | undefined;
  /** What it is owed, of those that have as little to do. */
  due = 0;
  /** Attempts that failed there one after another, and when the last of them did: monotonic milliseconds. */
  readonly row = new FailureRow();
  failedMs = Number.NEGATIVE_INFINITY;
  /** Clients that had waited there for long, and left one after another. */
  left = 0;
  /** How often it was left out for its failures; what is long ago counts less. */
  ejections = 0;
  /** Unix milliseconds: until when it is left out, and when it was last let in again. */
  ejectedUntilMs: number | undefined;
  readmittedMs = 0;

  constructor(
    origin: string,
    name: string | undefined,
    share: { weight: number; priority: number },
    nowMs: number,
  ) {
    this.origin = origin;
    this.name = name;
    this.key = name === undefined ? origin : `${origin} as ${name}`;
    this.weight = share.weight;
    this.priority = share.priority;
    this.sinceMs = nowMs;
  }
  /** Not left out, for whatever reason. */
  get isUsable(): boolean {
    return this.isWell && this.ejectedUntilMs === undefined;
  }
}
