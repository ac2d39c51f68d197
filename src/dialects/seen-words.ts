import { WordTable } from './word-table.ts';

/** Words that mean something wherever in a request or an answer they stand, as a key or as a value. */
export const WORDS = [
  'audio',
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
  'vector_store_ids',
  'knowledge_id',
  'library_ids',
  'uuid',
  'container',
  'container_id',
  'image_url',
  'video_url',
  'audio_url',
  'document_url',
  'file_url',
  'routingConfig',
  'routing_config',
  'error',
  'tool_calls',
  'usage',
] as const;
export type SoughtWord = (typeof WORDS)[number];

const TABLE = new WordTable(WORDS);
const FLAGS = Object.fromEntries(WORDS.map((word, place) => [word, 1 << place])) as Record<
  SoughtWord,
  number
>;

/** Words of which any is asked for, as `SeenWords.hasAnywhere` takes them. */
export function flagsOf(words: readonly string[]): number {
  let flags = 0;
  for (const word of words) {
    const flag = FLAGS[word as SoughtWord];
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
    if (place !== -1) this.#below |= 1 << place;
  }

  /** The same for a key at the top. */
  lookAtTop(body: Buffer, quote: number, end: number): void {
    const place = TABLE.find(body, quote + 1, end - 1);
    if (place !== -1) this.#atTop |= 1 << place;
  }

  /** Whether it was seen below the top. */
  has(word: SoughtWord): boolean {
    return (this.#below & FLAGS[word]) !== 0;
  }

  /** Whether one of them was seen there, or is a key at the top. */
  hasAnywhere(flags: number): boolean {
    return ((this.#below | this.#atTop) & flags) !== 0;
  }
}
