import Handlebars from 'handlebars';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { COUNTED } from './counted-template.ts';
import { BLANK, hideMarks, showMarksIn } from './marks.ts';
import { RenderBound } from './render-bound.ts';
import { RenderError } from './render-error.ts';
import { isWritten } from './written-number.ts';

type Options = Handlebars.HelperOptions;

/**
 * The helpers that a template has, beside `with` of Handlebars: those of dotprompt, in forms that take what comes
 * from outside as data, `each` with a bound, and those that count what is written. One for each template; a rendering waits for nothing, so
 * it has it alone.
 */
export class Helpers {
  readonly #bound = new RenderBound();
  /** Characters of the earlier messages. */
  #history = 0;

  /** Before each rendering: the characters of what comes from outside, and of the messages in it. */
  reset(given: number, history: number): void {
    this.#bound.reset(given);
    this.#history = history;
  }

  readonly all = { ...makeMarks(this.#bound, () => this.#history), ...makeHelpers(this.#bound) };
}

/** What dotprompt finds in the text. Their arguments stand in the template, but for a medium's: `check-template.ts` lets no others pass. */
function makeMarks(bound: RenderBound, historyCharacters: () => number) {
  return {
    role: (role: string) => `<<<dotprompt:role:${role}>>>`,
    history: () => {
      bound.countCharacters(historyCharacters());
      return '<<<dotprompt:history>>>';
    },
    section: (name: string) => `<<<dotprompt:section ${name}>>>`,
    media: ({ hash }: Options) => mediaMark(hash['url'], hash['contentType']),
  };
}

function makeHelpers(bound: RenderBound) {
  const isSame = (one: unknown, other: unknown) => {
    // What has another length is another text at once.
    if (typeof one === 'string' && typeof other === 'string' && one.length === other.length)
      bound.countCharacters(one.length);
    return reckoned(one) === reckoned(other);
  };
  const each = makeEach(bound);
  return {
    json: (value: JsonValue, { hash }: Options) => {
      const indent = indentOf(hash['indent']);
      countJson(bound, value ?? null, indent, 1);
      return hideMarks(JSON.stringify(showMarksIn(value ?? null), null, indent));
    },
    ifEquals(this: unknown, one: unknown, other: unknown, { fn, inverse }: Options) {
      return isSame(one, other) ? fn(this) : inverse(this);
    },
    unlessEquals(this: unknown, one: unknown, other: unknown, { fn, inverse }: Options) {
      return isSame(one, other) ? inverse(this) : fn(this);
    },
    if: asBuiltIn('if'),
    unless: asBuiltIn('unless'),
    /** Of an object where a name is wanted there is nothing, whatever its fields are called. */
    lookup: (value: unknown, field: unknown, { lookupProperty }: LookupOptions) => {
      const name = reckoned(field);
      if (value === undefined || value === null || typeof name === 'object') return undefined;
      return lookupProperty(value, name);
    },
    each,
    /** Of text within a message, which is blank where the list is empty. */
    [COUNTED.eachText](this: unknown, items: unknown, options: Options) {
      return each.call(this, items, options) || BLANK;
    },
    [COUNTED.write]: (value: unknown) => {
      const text = textOf(bound, value);
      const kept = text.trim() === '' ? text + BLANK : text;
      bound.countCharacters(kept.length);
      return kept;
    },
    [COUNTED.content]: (characters: number) => {
      bound.countCharacters(characters);
      return '';
    },
    [COUNTED.partial]: () => {
      bound.countRounds(1);
      return '';
    },
    [COUNTED.merge]: (context: unknown, { hash }: Options) => merge(bound, context, hash),
    [COUNTED.indent]: (indent: string, context: unknown, { fn }: Options) =>
      indentLines(bound, fn(context), indent),
  };
}

function makeEach(bound: RenderBound) {
  return function each(this: unknown, items: unknown, options: Options): string {
    if (typeof items !== 'object' || items === null) return options.inverse(this);
    const isList = Array.isArray(items);
    const keys = Object.keys(items);
    if (keys.length === 0) return options.inverse(this);
    bound.countRounds(keys.length);
    let text = '';
    for (const [index, key] of keys.entries()) {
      const data = Handlebars.createFrame(options.data ?? {});
      Object.assign(data, { key: isList ? index : key, index });
      Object.assign(data, { first: index === 0, last: index === keys.length - 1 });
      const value: unknown = (items as Record<string, unknown>)[key];
      text += options.fn(value, { data, blockParams: [value, data.key] });
    }
    return text;
  };
}

interface LookupOptions extends Options {
  /** As a path in a template looks for a field. */
  lookupProperty(of: unknown, name: unknown): unknown;
}

/** The helper of Handlebars, which is to take a number for one however it is written. */
function asBuiltIn(name: 'if' | 'unless') {
  const helper = Handlebars.helpers[name] as Handlebars.HelperDelegate;
  return function (this: unknown, value: unknown, options: Options): unknown {
    return helper.call(this, reckoned(value), options);
  };
}

/** A value as it is compared. */
function reckoned(value: unknown): unknown {
  return isWritten(value) ? value.valueOf() : value;
}

/** As JavaScript has it, each item of a list counted; of an object it asks nothing, whatever its fields are called. */
function textOf(bound: RenderBound, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (isObject(value) && !isWritten(value)) return '[object Object]';
  if (!Array.isArray(value)) return String(value);
  bound.countCharacters(value.length);
  return value.map((item) => textOf(bound, item)).join(',');
}

/** Counts what JSON of a value has, about so, before it is made: indents of deep values are more than the values. */
function countJson(bound: RenderBound, value: JsonValue, indent: number, depth: number): void {
  const before = 1 + indent * depth;
  if (typeof value === 'string') bound.countCharacters(value.length);
  else if (Array.isArray(value))
    for (const item of value) {
      bound.countCharacters(before);
      countJson(bound, item, indent, depth + 1);
    }
  else if (isWritten(value)) bound.countCharacters(String(value).length);
  else if (isObject(value))
    for (const [name, field] of Object.entries(value)) {
      bound.countCharacters(before + name.length);
      countJson(bound, field ?? null, indent, depth + 1);
    }
}

/** What a partial has that is given fields of its own (`{{> tone of=text}}`): these, and those of what it is about. */
function merge(bound: RenderBound, context: unknown, own: Record<string, unknown>): unknown {
  if (typeof context !== 'object' || context === null) return own;
  bound.countCharacters(charactersOfNames(context as JsonObject));
  return { ...context, ...own };
}

function charactersOfNames(context: JsonObject): number {
  let characters = 0;
  for (const name of Object.keys(context)) characters += 8 + name.length;
  return characters;
}

/** A partial that stands on a line of its own has all its lines as far to the right as its call. */
function indentLines(bound: RenderBound, text: string, indent: string): string {
  const lines = text.split('\n');
  bound.countCharacters(text.length + lines.length * indent.length);
  const last = lines.length - 1;
  return lines.map((line, index) => (index === last && line === '' ? line : indent + line)).join('\n');
}

/** JSON of JavaScript is indented by 10 at most. */
function indentOf(indent: unknown): number {
  return typeof indent === 'number' ? Math.min(10, Math.max(0, Math.floor(indent))) : 0;
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
