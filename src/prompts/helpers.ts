import Handlebars from 'handlebars';
import type { JsonValue } from '../conversation/json.ts';
import { hideMarks, showMarks, showMarksIn } from './marks.ts';
import { RenderError } from './render-error.ts';

type Options = Handlebars.HelperOptions;

/** How much one rendering may do. */
const MOST_ROUNDS = 100_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;

/**
 * The helpers that a template has, beside `if`, `unless`, `with` and `lookup` of Handlebars: those of dotprompt, in forms that take what comes
 * from outside as data, and `each` with a bound. One for each template; a rendering waits for nothing, so it has it alone.
 */
export class Helpers {
  #rounds = 0;
  #characters = 0;

  /** Before each rendering. */
  reset(): void {
    this.#rounds = 0;
    this.#characters = 0;
  }

  readonly all = {
    json: (value: JsonValue, { hash }: Options) =>
      hideMarks(JSON.stringify(showMarksIn(value ?? null), null, indentOf(hash['indent']))),
    media: ({ hash }: Options) => mediaMark(hash['url'], hash['contentType']),
    ifEquals(this: unknown, one: unknown, other: unknown, { fn, inverse }: Options) {
      return isSame(one, other) ? fn(this) : inverse(this);
    },
    unlessEquals(this: unknown, one: unknown, other: unknown, { fn, inverse }: Options) {
      return isSame(one, other) ? inverse(this) : fn(this);
    },
    each: this.#makeEach(),
  };

  #makeEach() {
    const count = (characters: number) => this.#count(characters);
    return function each(this: unknown, items: unknown, options: Options): string {
      if (typeof items !== 'object' || items === null) return options.inverse(this);
      const entries = Object.entries(items);
      if (entries.length === 0) return options.inverse(this);
      let text = '';
      for (const [index, [key, value]] of entries.entries()) {
        const data = Handlebars.createFrame(options.data ?? {});
        Object.assign(data, { key: Array.isArray(items) ? index : key, index });
        Object.assign(data, { first: index === 0, last: index === entries.length - 1 });
        const part = options.fn(value, { data, blockParams: [value, data.key] });
        count(part.length);
        text += part;
      }
      return text;
    };
  }

  #count(characters: number): void {
    this.#rounds += 1;
    this.#characters += characters;
    if (this.#rounds > MOST_ROUNDS)
      throw new RenderError(`The prompt repeats something more than ${MOST_ROUNDS} times with this input.`);
    if (this.#characters > MOST_CHARACTERS)
      throw new RenderError('The prompt becomes too large with this input.');
  }
}

function indentOf(indent: unknown): number {
  return typeof indent === 'number' ? indent : 0;
}

function isSame(one: unknown, other: unknown): boolean {
  return plain(one) === plain(other);
}

/** What a template writes has its angle brackets, what comes from outside has not. */
function plain(value: unknown): unknown {
  return typeof value === 'string' ? showMarks(value) : value;
}

/** Blanks part what the mark says: an address has none. */
function mediaMark(url: unknown, contentType: unknown): string {
  if (typeof url !== 'string' || url === '') throw new RenderError('A medium of the prompt has no address.');
  if (/\s/.test(url)) throw new RenderError('The address of a medium may not hold white space.');
  if (contentType === undefined || contentType === null) return `<<<dotprompt:media:url ${url}>>>`;
  if (typeof contentType !== 'string' || !/^[\w.+/-]+$/.test(contentType))
    throw new RenderError('The content type of a medium is none.');
  return `<<<dotprompt:media:url ${url} ${contentType}>>>`;
}
