/** Shorter ones are no secrets (`none`, `EMPTY`, `ollama`, a flag in a header), and common words must not be blotted out. */
const MIN_SECRET_LENGTH = 8;

const REDACTED = '[redacted]';

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

export type SecretSet = Pick<ReadonlySet<string>, 'size' | 'has'>;

/** What may be a secret among other text: nothing that quotes, ends or divides it. */
const RUN = /[^\s"'`,;()<>[\]{}\\]{8,}/g;

/**
 * A text without those of very many secrets (keys of tenants, say), for which one pattern would take gigabytes: they are found
 * as they are, and not where their characters are escaped.
 */
export function redactRuns(text: string, secrets: SecretSet): string {
  if (secrets.size === 0) return text;
  return text.replace(RUN, (run) => (secrets.has(run) ? REDACTED : run));
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
