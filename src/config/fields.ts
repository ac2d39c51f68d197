import { z } from 'zod';
import { type JsonValue, tryParseJson } from '../conversation/json.ts';
import {
  DATE_PATTERN,
  DURATION_PATTERN,
  parseDate,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from './units.ts';

/*
 * The building blocks of the schema. The `error` of each says what was expected; `explain.ts` adds what was found.
 */

/** Schemas whose values are never shown, in errors or anywhere else. Inherited by `.describe()` and `.optional()`. */
const sensitive = z.registry<{ reason: string }>();

export function isSensitive(schema: z.core.$ZodType): boolean {
  return sensitive.get(schema) !== undefined;
}

/** Marks a schema as one whose values are never shown. */
export function hidden<T extends z.ZodType>(schema: T, reason: string): T {
  sensitive.add(schema, { reason });
  return schema;
}

export function text(expected = 'text'): z.ZodString {
  return z.string({ error: expected }).min(1, { error: `${expected} that is not empty` });
}

export function pattern(regex: RegExp, expected: string): z.ZodString {
  return z.string({ error: expected }).regex(regex, { error: expected, abort: true });
}

/** Reads text by a parser that gives `undefined` where it cannot. */
function parsed(regex: RegExp, expected: string, parse: (text: string) => number | undefined) {
  return pattern(regex, expected).transform((value, context) => {
    const number = parse(value);
    if (number !== undefined) return number;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

const DURATION = 'a duration such as 500ms, 30s, 10m, 1h or 7d';

export function duration() {
  return parsed(DURATION_PATTERN, DURATION, parseDuration);
}

/** Node's timers hold 2^31 − 1 ms (24.8 days) and fire at once beyond that. */
const LONGEST_TIMER_MS = 24 * 86_400_000;

/** A duration that a timer waits for: more than none, at most 24 days. */
export function timeout() {
  const expected = 'more than 0s and at most 24d';
  return duration().refine((ms) => ms > 0 && ms <= LONGEST_TIMER_MS, { error: expected });
}

export function size() {
  return parsed(SIZE_PATTERN, 'a size such as 512kb, 32mb or 1gb', parseSize);
}

export function date() {
  return parsed(
    DATE_PATTERN,
    'a date such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z',
    parseDate,
  );
}

export function ratio() {
  const expected = 'a share from 0 to 1';
  return z.number({ error: expected }).min(0, { error: expected }).max(1, { error: expected });
}

export function count(min: number, max = Number.MAX_SAFE_INTEGER) {
  const bound = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const expected = `a whole number ${bound}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
}

export function positive() {
  return z.number({ error: 'a number above 0' }).gt(0, { error: 'a number above 0' });
}

export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** `:` as in `llama3:8b`. `/` would make it a target, `@` a version. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const TARGET = /^[^/\s]+\/\S+$/;

export function name() {
  return pattern(NAME, 'a name of letters, digits, ".", "_" and "-", starting with a letter or digit');
}

export function modelName() {
  return pattern(MODEL_NAME, 'a model name of letters, digits, ".", "_", ":" and "-", without "/"');
}

/** `provider/model-version`; the version may hold further slashes. */
export function targetName() {
  return pattern(TARGET, 'a target, "provider/model-version"');
}

/** A target or a pattern of targets; `*` stands for any characters. */
export function targetPattern() {
  return pattern(TARGET, 'a target or a pattern of targets, "provider/model-version" or "provider/*"');
}

/** A tier as usage records name it; several at once are joined by `+`. */
export function tierName() {
  const named = pattern(/^[a-z0-9_.-]+(\+[a-z0-9_.-]+)*$/, 'a tier such as "priority", "flex" or "fast+us"');
  return named.refine((name) => name.split('+').every((word) => !NO_TIERS.test(word)), {
    error: 'a tier that records name: the standard way has none, its price is the price itself',
  });
}

/** Words of providers for the standard way, and for a tier that records name in one word (`dialects/tiers.ts`): no record names them. */
const NO_TIERS =
  /^(default|standard|auto|standard_only|on_demand|global|not_available|unspecified|traffic_type_unspecified|on_demand_(priority|flex|offpeak)|provisioned_throughput|service_tier_.*)$/;

/** A name or a glob; `*` for all. */
export function glob(of: string) {
  return pattern(/^\S+$/, nameOrPattern(of));
}

export function globs(of: string) {
  return z.array(glob(of), { error: `a list of ${of} names or patterns` });
}

/** Prompts are called as their files are, which may have blanks within their names. */
export function promptGlobs() {
  return z.array(pattern(/^\S(?:.*\S)?$/, nameOrPattern('prompt')), {
    error: 'a list of prompt names or patterns',
  });
}

/** Models, or prompts as `prompt/NAME`. */
export function modelOrPromptGlob() {
  return pattern(/^(?:\S+|prompt\/\S.*\S)$/, nameOrPattern('model'));
}

/** The same as somebody else than the operator may name one: nothing that a configuration would read as a placeholder. */
export function grantedModel() {
  const expected = 'the name of a model, provider/model, or a pattern such as "provider/*"';
  return pattern(/^(?=.{1,256}$)(?:[^\s\p{Cc}$]+|prompt\/[^\s\p{Cc}$][^\p{Cc}$]*[^\s\p{Cc}$])$/u, expected);
}

function nameOrPattern(of: string): string {
  return `the name of a ${of}, or a pattern such as "*"`;
}

/** The credential of an upstream account. It goes into a header, so it holds nothing that a header cannot. */
export function credential() {
  return hidden(
    pattern(
      /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
      'a credential of printable ASCII characters without spaces around it',
    ),
    'credential',
  ).brand<'Secret'>();
}

/** A regular expression of JavaScript (flags `gu`) that matches something: an empty match would be everywhere. */
export function expression() {
  return text('a regular expression')
    .refine(isExpression, {
      error: 'a regular expression as JavaScript writes it, with the flag u',
      abort: true,
    })
    .refine((source) => !new RegExp(source, 'u').test(''), {
      error: 'a regular expression that does not match nothing at all',
    });
}

function isExpression(source: string): boolean {
  try {
    return new RegExp(source, 'gu').global;
  } catch {
    return false;
  }
}

/** What stands in host names and URLs of a cloud. */
export function cloudName(expected: string) {
  return pattern(/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/, expected);
}

/** The name of a deployment: one segment of a path. */
export function deploymentName() {
  return pattern(/^[^\s/?#]+$/, 'the name of a deployment, without spaces, "/", "?" and "#"');
}

/** A Google service account's key: the mapping that its JSON file holds, or that JSON as text. */
export function serviceAccount() {
  const expected = 'the JSON of a service account, with client_email and private_key';
  const key = z.looseObject({
    client_email: hidden(text(), 'credential').describe('Who the account is.'),
    private_key: hidden(text(), 'credential').describe('Its key in PEM; best a placeholder.'),
  });
  const isKey = (written: string) => key.safeParse(tryParseJson(written)).success;
  const asText = z.string().refine(isKey, { error: expected });
  return hidden(z.union([key, asText], { error: expected }), 'credential');
}

export const KEY_SECRET = /^[\x21-\x7e]{8,}$/;

/** The secret of a tenant's key. */
export function keySecret() {
  return hidden(
    pattern(KEY_SECRET, 'a secret of at least 8 printable characters without spaces'),
    'credential',
  ).brand<'Secret'>();
}

/** What stored credentials are encrypted under: a passphrase, or a key as hex or base64. */
export function masterSecret() {
  const expected = 'a secret of at least 16 characters, best 32 random bytes (openssl rand -base64 32)';
  return hidden(z.string({ error: expected }).min(16, { error: expected }), 'credential');
}

export const SECRET_HASH = /^[0-9a-f]{64}$/;

/** What is known of a secret that was shown once: lower-case hex of its SHA-256, as `hashSecret` gives it. */
export function secretHash() {
  return hidden(pattern(SECRET_HASH, 'a SHA-256 of 64 lower-case hex digits'), 'credential');
}

export type Secret = z.output<ReturnType<typeof credential>>;

export function httpUrl() {
  const expected = 'an http:// or https:// URL without credentials, "?" or "#"';
  return pattern(/^https?:\/\/[^\s?#@]+$/, expected).refine((url) => URL.canParse(url), { error: expected });
}

/** Text that goes into a header as it is. */
export function headerText() {
  return pattern(/^[\x20-\x7e]+$/, 'printable ASCII text on one line');
}

/** What frames a message or is about one connection (RFC 9110 7.6.1, 7.2, 8.6, 10.1.1): with another value no call gets through. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers sent upstream. Names as RFC 9110 has them; values may be credentials, so they are never shown. */
export function headers() {
  const value = hidden(
    pattern(/^[\t\x20-\x7e]*$/, 'a header value: printable text on one line'),
    'may hold a credential',
  );
  const name = pattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name').refine(
    (written) => !CONNECTION_HEADERS.has(written.toLowerCase()),
    { error: 'another header: this one is about the connection, and the gateway writes it itself' },
  );
  return mapping(name, value);
}

/** Any JSON value: the document holds nothing else. */
export function anyJson() {
  return z.unknown().transform((value) => value as JsonValue);
}

/**
 * A mapping from names to values. What comes out has no prototype, so that a lookup by a name that somebody else
 * chose (`constructor`) finds only what was configured.
 */
export function mapping<K extends z.ZodString, V extends z.ZodType>(key: K, value: V) {
  return z
    .record(key, value)
    .transform((entries): Record<string, z.output<V>> => Object.assign(Object.create(null), entries));
}

/** Exactly one of some optional keys is written. */
export function exactlyOne<K extends string>(...keys: K[]) {
  return {
    check: (value: { [key in K]?: unknown }) => keys.filter((key) => value[key] !== undefined).length === 1,
    error: `exactly one of ${keys.join(', ')}`,
  };
}
