import { appendAll } from '../../conversation/append-all.ts';
import type { ContentChunk } from './response.ts';

const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Takes reasoning out of a text that begins with it between `<think>` and `</think>`, as the templates of DeepSeek R1
 * and its kin write it where the server does not parse it. Tags anywhere else are text.
 */
export class ThinkTags {
  #state: 'before' | 'opened' | 'inside' | 'behind' | 'after' = 'before';
  /** What may still become a tag. */
  #held = '';

  read(piece: string): ContentChunk[] {
    this.#held += piece;
    const chunks: ContentChunk[] = [];
    if (this.#state === 'before') appendAll(chunks, this.#readBefore());
    if (this.#state === 'opened') this.#skipSpace('inside');
    if (this.#state === 'inside') appendAll(chunks, this.#readInside());
    if (this.#state === 'behind') this.#skipSpace('after');
    if (this.#state === 'after') appendAll(chunks, this.end());
    return chunks;
  }

  /** What is still held, which was no tag. */
  end(): ContentChunk[] {
    const rest = this.#held;
    this.#held = '';
    return chunk(this.#state === 'inside' ? 'reasoning' : 'text', rest);
  }

  #readBefore(): ContentChunk[] {
    const text = this.#held.trimStart();
    if (text.startsWith(OPEN)) {
      this.#state = 'opened';
      this.#held = text.slice(OPEN.length);
      return [];
    }
    if (!OPEN.startsWith(text)) this.#state = 'after';
    return [];
  }

  #readInside(): ContentChunk[] {
    const close = this.#held.indexOf(CLOSE);
    if (close === -1) {
      const length = this.#held.length - endOfTag(this.#held);
      const reasoning = this.#held.slice(0, length);
      this.#held = this.#held.slice(length);
      return chunk('reasoning', reasoning);
    }
    const reasoning = this.#held.slice(0, close);
    this.#state = 'behind';
    this.#held = this.#held.slice(close + CLOSE.length);
    return chunk('reasoning', reasoning);
  }

  /** White space behind a tag belongs to the layout. */
  #skipSpace(next: 'inside' | 'after'): void {
    this.#held = this.#held.trimStart();
    if (this.#held !== '') this.#state = next;
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
