import { WordTable } from './word-table.ts';

/** Words that mean something wherever in a request or an answer they stand, as a key or as a value. */
export const WORDS = [
  'audio',
  'additional_tools',
  'custom',
  'allowed_tools',
  'functions',
  'function_call',
  'id',
  'item_reference',
  'model',
  'models',
  'allowed_models',
  'url',
  'file_id',
  'file_ids',
  'skill_id',
  'tunnel_id',
  'comparison_response_id',
  'uuid',
  'container',
  'container_id',
  'image_url',
  'video_url',
  'audio_url',
  'document_url',
  'file_url',
  'error',
  'tool_calls',
  'usage',
] as const;
export type SoughtWord = (typeof WORDS)[number];

/** Words that mean the same to all who ask: one bit of a number is theirs, of which there are 32. */
export const ALIKE: readonly (readonly string[])[] = [
  ['vector_store_ids', 'knowledge_id', 'library_ids', 'collection_ids', 'connector_id'],
  ['routingConfig', 'routing_config'],
];

const FLAGS = new Map<string, number>(
  [...WORDS.map((word) => [word]), ...ALIKE].flatMap((words, place) =>
    words.map((word): [string, number] => [word, 1 << place]),
  ),
);
const TABLE = new WordTable(FLAGS.keys());
/** By the place of a word in the table. */
const FLAG_AT = Int32Array.from(TABLE.words, (word) => FLAGS.get(word) ?? 0);

const OWN_FLAGS = Object.fromEntries(WORDS.map((word) => [word, FLAGS.get(word) ?? 0])) as Record<
  SoughtWord,
  number
>;

/** Words of which any is asked for, as `SeenWords.hasAnywhere` takes them. */
export function flagsOf(words: readonly string[]): number {
  let flags = 0;
  for (const word of words) {
    const flag = FLAGS.get(word);
    if (flag === undefined) throw new Error(`'${word}' is not looked for`);
    flags |= flag;
  }
  return flags;
}

/**
 * Which of some words were seen as whole texts in a JSON body. The scan of its top level shows it each text:
 * to search the body for each of them would cost as much as the scan, for the quote that they begin with is everywhere.
 */
export class SeenWords {
  #below = 0;
  #atTop = 0;

  /** A text below the top; `quote`, `end`: where it begins, with its quote, and where it has ended. */
  look(body: Buffer, quote: number, end: number): void {
    const place = TABLE.find(body, quote + 1, end - 1);
    if (place !== -1) this.#below |= FLAG_AT[place] ?? 0;
  }

  /** The same for a key at the top. */
  lookAtTop(body: Buffer, quote: number, end: number): void {
    const place = TABLE.find(body, quote + 1, end - 1);
    if (place !== -1) this.#atTop |= FLAG_AT[place] ?? 0;
  }

  /** Whether it was seen below the top. */
  has(word: SoughtWord): boolean {
    return (this.#below & OWN_FLAGS[word]) !== 0;
  }

  /** Whether one of them was seen there, or is a key at the top. */
  hasAnywhere(flags: number): boolean {
    return ((this.#below | this.#atTop) & flags) !== 0;
  }
}
