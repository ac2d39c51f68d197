/** Shorter ones are no secrets (`none`, `EMPTY`, `ollama`, a flag in a header), and common words must not be blotted out. */
const MIN_SECRET_LENGTH = 8;

export const REDACTED = '[redacted]';

/** A credential behind its scheme (RFC 9110 11.4): servers quote it with the scheme or without. */
const WITH_SCHEME = /^[A-Za-z][A-Za-z0-9-]* +(\S+)$/;

/** What of credentials and configured header values must never be told to anyone; longer ones before what they contain. */
export function listSecrets(values: readonly (string | undefined)[]): string[] {
  const secrets = values
    .filter((value) => value !== undefined)
    .flatMap((value) => [value.trim(), WITH_SCHEME.exec(value.trim())?.[1] ?? ''])
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  return [...new Set(secrets)].sort((a, b) => b.length - a.length);
}

/**
 * A text from a provider without our secrets, in case it quotes what it was sent. The text may be JSON or a URL: a secret
 * is found in whatever way its characters are escaped (RFC 8259 7, RFC 3986 2.1).
 */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  return redactorOf(secrets)(text);
}

/** The same for many texts: the secrets are made a pattern once. */
export function redactorOf(secrets: readonly string[]): (text: string) => string {
  if (secrets.length === 0) return (text) => text;
  const pattern = new RegExp(secrets.map(patternOf).join('|'), 'g');
  return (text) => text.replace(pattern, REDACTED);
}

/**
 * Very many secrets (keys of tenants, say), for which one pattern would take gigabytes: they are found as they are wherever they
 * stand in a text, and not where their characters are escaped. Texts as short as `listSecrets` leaves out are none.
 */
export class ManySecrets {
  readonly #secrets: ReadonlySet<string>;
  /** By what secrets begin with: how long those are, longer ones first. */
  readonly #lengths = new Map<string, number[]>();
  /** Most characters of a text begin none: this is asked before anything is cut out of it. */
  readonly #firstUnits = new Set<number>();

  constructor(secrets: Iterable<string>) {
    const long = new Set<string>();
    for (const secret of secrets) {
      if (secret.length < MIN_SECRET_LENGTH) continue;
      long.add(secret);
      this.#firstUnits.add(secret.charCodeAt(0));
      const start = secret.slice(0, MIN_SECRET_LENGTH);
      const lengths = this.#lengths.get(start);
      if (!lengths) this.#lengths.set(start, [secret.length]);
      else if (!lengths.includes(secret.length)) lengths.push(secret.length);
    }
    for (const lengths of this.#lengths.values()) lengths.sort((a, b) => b - a);
    this.#secrets = long;
  }

  redact(text: string): string {
    if (this.#secrets.size === 0) return text;
    let redacted = '';
    let from = 0;
    for (let at = 0; at + MIN_SECRET_LENGTH <= text.length; at++) {
      const length = this.#firstUnits.has(text.charCodeAt(at)) ? this.#lengthAt(text, at) : 0;
      if (length === 0) continue;
      redacted += text.slice(from, at) + REDACTED;
      from = at + length;
      at = from - 1;
    }
    return from === 0 ? text : redacted + text.slice(from);
  }

  /** How long the secret is that stands at a place; 0 where there is none. */
  #lengthAt(text: string, at: number): number {
    const lengths = this.#lengths.get(text.slice(at, at + MIN_SECRET_LENGTH));
    return lengths?.find((length) => this.#secrets.has(text.slice(at, at + length))) ?? 0;
  }
}

/** Each character as it is, behind a backslash where JSON allows one, as `\uXXXX` or as `%XX`, with digits of either case. */
function patternOf(secret: string): string {
  let pattern = '';
  for (const character of secret) {
    const bytes = Buffer.from(character).toString('hex').replace(/../g, '%$&');
    pattern += `(?:${inAnyCase(bytes)}|${character.split('').map(unitPattern).join('')})`;
  }
  return pattern;
}

function unitPattern(unit: string): string {
  const code = unit.charCodeAt(0).toString(16).padStart(4, '0');
  const backslash = '"\\/'.includes(unit) ? '\\\\?' : '';
  return `(?:\\\\u${inAnyCase(code)}|${backslash}\\u${code})`;
}

function inAnyCase(digits: string): string {
  return digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}
