import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { ManySecrets, redactorOf } from '../upstream/secrets.ts';

/** Errors of libraries hold sockets and whole requests: deeper than this nothing in them says more. */
const MAX_DEPTH = 4;

type Redact = (text: string) => string;

export interface Secrets {
  /** Found in whatever way they are escaped. */
  few: readonly string[];
  /** Found as they are. */
  many: ManySecrets;
}

const NO_SECRETS: Secrets = { few: [], many: new ManySecrets([]) };

export interface RedactingLog {
  log: Logger;
  /** The same of what is told elsewhere: a copy without secrets, of texts, lists and mappings of them. */
  redact<T>(value: T): T;
  /** @param secrets asked for when something is written: tokens are renewed, configurations replaced */
  hide(secrets: () => Secrets): void;
}

/**
 * A log that writes without secrets: its messages, all fields beside them, and errors in whole. What nobody foresaw may quote
 * anything, in its message, its stack or a field that a library gave it, and pino makes an error's message its own.
 *
 * @param destination absent: standard output
 */
export function openLog(level: string, destination?: DestinationStream): RedactingLog {
  let secrets: () => Secrets = () => NO_SECRETS;
  let known = '';
  let redactFew: Redact = (text) => text;
  const redactor = (): Redact => {
    const { few, many } = secrets();
    // They change seldom, and a pattern of many takes its time.
    const now = few.join('\n');
    if (now !== known) redactFew = redactorOf(few);
    known = now;
    return (text) => many.redact(redactFew(text));
  };
  const options = {
    level,
    // What an error says is redacted with the other fields of its line.
    serializers: { err: (error: unknown) => error },
    formatters: {
      log: (fields: object) => redactDeep(fields, redactor(), MAX_DEPTH + 1) as Record<string, unknown>,
    },
    hooks: {
      logMethod(this: Logger, args: Parameters<pino.LogFn>, write: pino.LogFn) {
        const [first, message, ...values] = args as [unknown, unknown?, ...unknown[]];
        const redact = redactor();
        const said = message ?? messageOf(first);
        const rest = said === undefined ? [] : [said, ...values];
        const start = typeof first === 'string' ? redact(first) : first;
        Reflect.apply(write, this, [start, ...rest.map((value) => redactDeep(value, redact, MAX_DEPTH))]);
      },
    },
  };
  const log = destination ? pino(options, destination) : pino(options);
  return {
    log,
    redact: (value) => redactDeep(value, redactor(), MAX_DEPTH + 1) as typeof value,
    hide: (list) => {
      secrets = list;
    },
  };
}

/** What pino takes for the message where none is given. */
function messageOf(first: unknown): unknown {
  if (first instanceof Error) return first.message;
  if (typeof first !== 'object' || first === null || 'msg' in first || !('err' in first)) return undefined;
  return (first.err as { message?: unknown } | undefined | null)?.message;
}

function redactDeep(value: unknown, redact: Redact, depth: number): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  // Byte by byte they would fill the log, and say a secret in numbers.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (depth === 0) return undefined;
  if (value instanceof Error) return redactDeep({ ...stdSerializers.err(value) }, redact, depth);
  if (value instanceof Date) return value.toJSON();
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [redact(key), redactDeep(inner, redact, depth - 1)]),
  );
}
