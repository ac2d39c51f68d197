import type { ContentChunk } from './response.ts';

const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Takes reasoning out of a text that begins with it between `<think>` and `</think>`, as the templates of DeepSeek R1
 * and its kin write it where the server does not parse it. Tags anywhere else are text.
 */
export class ThinkTags {
  #state: 'before' | 'inside' | 'behind' | 'after' = 'before';
  /** What may still become a tag. */
  #held = '';

  read(piece: string): ContentChunk[] {
    if (this.#state === 'after') return chunk('text', piece);
    this.#held += piece;
    const chunks: ContentChunk[] = [];
    if (this.#state === 'before') chunks.push(...this.#readBefore());
    if (this.#state === 'inside') chunks.push(...this.#readInside());
    if (this.#state === 'behind') chunks.push(...this.#readBehind());
    return chunks;
  }

  /** What is held at the end was no tag. */
  end(): ContentChunk[] {
    const rest = this.#held;
    this.#held = '';
    return this.#state === 'behind' ? [] : chunk(this.#state === 'inside' ? 'reasoning' : 'text', rest);
  }

  #readBefore(): ContentChunk[] {
    const text = this.#held.trimStart();
    if (text.startsWith(OPEN)) {
      this.#state = 'inside';
      this.#held = text.slice(OPEN.length).replace(/^\r?\n/, '');
      return [];
    }
    return OPEN.startsWith(text) ? [] : this.#release('after', 'text', this.#held.length);
  }

  #readInside(): ContentChunk[] {
    const close = this.#held.indexOf(CLOSE);
    if (close === -1) return this.#release('inside', 'reasoning', this.#held.length - endOfTag(this.#held));
    const reasoning = this.#held.slice(0, close);
    this.#state = 'behind';
    this.#held = this.#held.slice(close + CLOSE.length);
    return chunk('reasoning', reasoning);
  }

  /** The white space between the reasoning and the answer belongs to neither. */
  #readBehind(): ContentChunk[] {
    this.#held = this.#held.trimStart();
    return this.#held === '' ? [] : this.#release('after', 'text', this.#held.length);
  }

  #release(state: 'inside' | 'after', kind: ContentChunk['kind'], length: number): ContentChunk[] {
    this.#state = state;
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return chunk(kind, text);
  }
}

function chunk(kind: ContentChunk['kind'], text: string): ContentChunk[] {
  return text === '' ? [] : [{ kind, text }];
}

/** How many characters at the end of a text may be the beginning of the closing tag. */
function endOfTag(text: string): number {
  let length = Math.min(text.length, CLOSE.length - 1);
  while (length > 0 && !text.endsWith(CLOSE.slice(0, length))) length--;
  return length;
}
