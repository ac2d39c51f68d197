import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import { valueStart } from './json-bytes.ts';
import { PlainReader, readPlain } from './plain-json.ts';
import { findName, skipValue, walkFields } from './request-fields.ts';
import { SeenWords } from './seen-words.ts';
import { STANDARD_WORDS } from './tiers.ts';
import { WordTable } from './word-table.ts';

/** What one walk over a whole answer saw. Most questions about it are answered by that. */
export interface AnswerScan {
  /** Where the values of `SCANNED_FIELDS` begin; of a field that stands twice the last, which parsers take, too. */
  readonly starts: Partial<Record<ScannedField, number>>;
  /** The top-level `usage`, where it is an object. */
  usage: JsonObject | undefined;
  readonly words: SeenWords;
}

const SCANNED_FIELDS = new WordTable([
  'choices',
  'content',
  'error',
  'usage',
  'service_tier',
  'tool_usage',
  'model',
]);
type ScannedField = (typeof SCANNED_FIELDS.words)[number];

/** In larger ones that are full of numbers a search finds what is sought before a walk has come far. */
const MAX_SCANNED_BYTES = 64 * 1024;

/** Walks over an answer; `undefined` where it is too large, or no plain JSON object: each question is then asked of its bytes. */
export function scanAnswer(body: Buffer): AnswerScan | undefined {
  if (body.length > MAX_SCANNED_BYTES) return undefined;
  const words = new SeenWords();
  const scan: AnswerScan = { starts: {}, usage: undefined, words };
  try {
    walkFields(body, (quote, keyEnd, start) => {
      const name = findName(body, quote, keyEnd, SCANNED_FIELDS);
      if (name === 'usage') return takeUsage(scan, body, start);
      if (name !== undefined) scan.starts[name] = start;
      return skipValue(body, start, words);
    });
  } catch {
    // A provider may answer anything: it is for those who ask to say what is wrong with that.
    return undefined;
  }
  return scan;
}

function takeUsage(scan: AnswerScan, body: Buffer, start: number): number {
  const reader = new PlainReader(body, start);
  scan.usage = reader.read();
  if (scan.usage) return reader.at;
  const end = skipValue(body, start, scan.words);
  const value = tryParseJson(body.toString('utf8', start, end));
  if (isObject(value)) scan.usage = value;
  return end;
}

/** The usage that an answer says: of several objects with that name the last that is one. */
export function findUsage(
  body: Buffer,
  scan: AnswerScan | undefined,
  isMeant: (value: JsonObject) => boolean,
): JsonObject | undefined {
  if (!scan || scan.words.has('usage')) return findLastObject(body, USAGE_KEY, isMeant);
  return scan.usage && isMeant(scan.usage) ? scan.usage : undefined;
}

const USAGE_KEY = Buffer.from('"usage"');

const TIER_KEY = Buffer.from('"service_tier"');
const NO_TIERS = new WordTable<string>(STANDARD_WORDS);

/** What an answer says of its service tier, where that is another than the standard one, in dialects that say it beside the usage. */
export function findServiceTier(body: Buffer, scan: AnswerScan | undefined): string | undefined {
  if (!scan) return searchServiceTier(body);
  const start = scan.starts.service_tier;
  return start === undefined ? undefined : tierAt(body, start);
}

/** The model that an answer names as the one that it is of. */
export function findModel(body: Buffer, scan: AnswerScan | undefined, field = 'model'): string | undefined {
  const start = scan?.starts.model;
  if (scan && start === undefined) return undefined;
  const end = start === undefined ? -1 : body.indexOf(0x22, start + 1);
  const plain = start === undefined ? undefined : readPlain(body, start, end + 1);
  if (typeof plain === 'string') return plain;
  const answer = tryParseJson(body.toString('utf8'));
  const said = isObject(answer) ? answer[field] : undefined;
  return typeof said === 'string' ? said : undefined;
}

/** Of an answer that is too large to be walked over it is parsed only where it seems to be of such a tier: callers' own fields come back in some. */
function searchServiceTier(body: Buffer): string | undefined {
  let last: string | undefined;
  for (let at = body.indexOf(TIER_KEY); at !== -1; at = body.indexOf(TIER_KEY, at + 1)) {
    const start = valueStart(body, at + TIER_KEY.length);
    last = (start === -1 ? undefined : tierAt(body, start)) ?? last;
  }
  if (last === undefined) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  // Of one that was forwarded already only the end is left.
  const said = isObject(answer) ? answer['service_tier'] : last;
  return typeof said === 'string' ? said : undefined;
}

/** The text that begins there, unless it is a word for the standard tier: of nearly all answers it is, and no text is made. */
function tierAt(body: Buffer, start: number): string | undefined {
  if (body[start] !== 0x22) return undefined;
  const end = body.indexOf(0x22, start + 1);
  if (end === -1 || NO_TIERS.find(body, start + 1, end) !== -1) return undefined;
  return body.toString('utf8', start + 1, end);
}

/** The last object behind this key that is one of those meant; an answer says what is its own after its content. */
export function findLastObject(
  body: Buffer,
  key: Buffer,
  isMeant: (value: JsonObject) => boolean,
): JsonObject | undefined {
  for (let at = body.lastIndexOf(key); at !== -1; at = at > 0 ? body.lastIndexOf(key, at - 1) : -1) {
    const start = valueStart(body, at + key.length);
    const value = start === -1 ? undefined : readObject(body, start);
    if (value && isMeant(value)) return value;
  }
  return undefined;
}

/** The object that begins there; `undefined` where something else (null) stands there. */
function readObject(body: Buffer, start: number): JsonObject | undefined {
  if (body[start] !== 0x7b) return undefined;
  const plain = new PlainReader(body, start).read();
  if (plain) return plain;
  try {
    const value = tryParseJson(body.toString('utf8', start, skipValue(body, start)));
    return isObject(value) ? value : undefined;
  } catch {
    // Cut off, or no JSON: nothing is said there, then.
    return undefined;
  }
}
