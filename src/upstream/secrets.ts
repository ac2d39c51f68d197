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
 * A text from a provider without our secrets, in case it quotes what it was sent. The text may be JSON: a secret is
 * found in whatever way its characters are escaped (RFC 8259 7).
 */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return text;
  return text.replace(new RegExp(secrets.map(patternOf).join('|'), 'g'), REDACTED);
}

/** Each character as it is, behind a backslash where JSON allows one, or as `\uXXXX` with digits of either case. */
function patternOf(secret: string): string {
  let pattern = '';
  for (let at = 0; at < secret.length; at++) {
    const code = secret.charCodeAt(at).toString(16).padStart(4, '0');
    const anyCase = code.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
    const backslash = '"\\/'.includes(secret.charAt(at)) ? '\\\\?' : '';
    pattern += `(?:\\\\u${anyCase}|${backslash}\\u${code})`;
  }
  return pattern;
}
