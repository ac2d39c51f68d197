import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { unsupportedParameter } from '../parameters.ts';
import { type FieldPlace, type FieldSpans, parseField, spanText, spliceEntries } from '../request-fields.ts';
import { WordTable } from '../word-table.ts';
import type { MessageRules } from './message-rules.ts';
import type { FieldOutcome, FieldQuirks, FieldRule, Fitted } from './quirks.ts';
import { isFor, isOccasional, isRenaming, outcomeOf } from './rule-outcome.ts';

/** Fields by which servers are told how much to think: rules write them, and a caller may have said them itself. */
const REASONING_FIELDS = ['reasoning_effort', 'reasoning', 'thinking', 'enable_thinking', 'thinking_budget'];

/** Told what is left out, by the field's name in the chat dialect, or what it was fitted to. */
export type NoteDropped = (name: string, fitted?: string) => void;

/** The caller's word for a field of the chat dialect. */
export type WordOf = (name: string) => string;

/** The rules of one provider for the top-level fields of a request. */
export class FieldRules {
  readonly #rules: ReadonlyMap<string, FieldRule>;
  readonly #messages: MessageRules | undefined;
  /** Fields that a rule may write in another's place. */
  readonly #writable: ReadonlySet<string>;
  /** The fields whose places must be known. Without one of them nothing has to change. */
  readonly wanted: WordTable;

  constructor(quirks: FieldQuirks, messages?: MessageRules) {
    this.#rules = new Map(Object.entries(quirks));
    this.#messages = messages?.isIdle === false ? messages : undefined;
    const names = Object.values(quirks).flatMap((rule) => (isRenaming(rule) ? [rule.as] : []));
    this.#writable = new Set(this.#rules.size > 0 ? [...names, ...REASONING_FIELDS] : []);
    this.wanted = new WordTable([
      ...this.#rules.keys(),
      ...this.#writable,
      ...(this.#messages ? ['messages'] : []),
    ]);
  }

  /**
   * The body as the server takes it: the same buffer unless a rule applies, else with only the fields changed that
   * have to be; everything else stays byte for byte. `places`: where the `wanted` fields stand, others may be among them.
   *
   * @throws GatewayError `invalid_request` for a field that is refused, that stands twice or is no JSON.
   */
  rewriteBytes(body: Buffer, places: FieldSpans, model: string, drop: NoteDropped): Buffer {
    if (!this.#isConcerned(places)) return body;
    const edits: { place: FieldPlace; text: string }[] = [];
    // In the order of the body, in which they were found.
    for (const [name, place] of Object.entries(places)) {
      const text = place && this.#entryText(body, name, place, places, model, drop);
      if (place && text !== undefined) edits.push({ place, text });
    }
    return edits.length === 0 ? body : spliceEntries(body, edits);
  }

  /** Which fields of a body are told by another name, and by which; `undefined` where none is. */
  renamings(body: Buffer, places: FieldSpans, model: string): Record<string, string> | undefined {
    let renamed: Record<string, string> | undefined;
    const says = (name: string) => places[name] !== undefined && !isNull(body, places[name]);
    for (const [name, rule] of this.#rules) {
      if (!isRenaming(rule) || !says(name) || says(rule.as) || !isFor(rule, model)) continue;
      renamed ??= {};
      renamed[name] = rule.as;
    }
    return renamed;
  }

  #isConcerned(places: FieldSpans): boolean {
    for (const name of this.wanted.words) if (places[name]) return true;
    return false;
  }

  /** The same for a request that is not bytes yet; `wordOf`: what a refusal calls a field. */
  rewriteJson(body: JsonObject, model: string, drop: NoteDropped, wordOf: WordOf = asIs): JsonObject {
    const says = (name: string) => Object.hasOwn(body, name) && body[name] !== null;
    const entries = Object.entries(body).flatMap(([name, value]): [string, JsonValue][] => {
      if (value === undefined) return [];
      if (name === 'messages' && this.#messages) return [[name, this.#messages.rewrite(value, model, drop)]];
      const rule = this.#rules.get(name);
      // A null would stand beside what is written under its name.
      if (rule === undefined) return value === null && this.#writable.has(name) ? [] : [[name, value]];
      const outcome = outcomeOf(rule, value, model, (field) => body[field]);
      if (outcome === 'keep') return [[name, value]];
      if (outcome === 'refuse') throw unsupportedParameter(wordOf(name));
      return Object.entries(fieldsInstead(name, outcome, says, drop)) as [string, JsonValue][];
    });
    return Object.fromEntries(entries);
  }

  /** What is written in a field's place; `undefined` where it stays. */
  #entryText(
    body: Buffer,
    name: string,
    place: FieldPlace,
    places: FieldSpans,
    model: string,
    drop: NoteDropped,
  ): string | undefined {
    if (name === 'messages' && this.#messages) return this.#messagesText(body, place, model, drop);
    const rule = this.#rules.get(name);
    if (rule === undefined) return this.#writable.has(name) && isNull(body, place) ? '' : undefined;
    const says = (other: string) => places[other] !== undefined && !isNull(body, places[other]);
    // Under another name the value keeps its bytes: a number may have more digits than ours.
    if (isRenaming(rule) && !isNull(body, place)) {
      if (!isFor(rule, model)) return undefined;
      if (!says(rule.as)) return `${JSON.stringify(rule.as)}:${spanText(body, place, name)}`;
      drop(name);
      return '';
    }
    const beside = (field: string) => {
      const other = places[field];
      return other && (parseField(body, other, field) as JsonValue);
    };
    if (isOccasional(rule) && !isNull(body, place) && !rule.isCalledFor(model, beside)) return undefined;
    const value = parseField(body, place, name) as JsonValue;
    const outcome = outcomeOf(rule, value, model, beside);
    if (outcome === 'keep') return undefined;
    if (outcome === 'refuse') throw unsupportedParameter(name);
    return Object.entries(fieldsInstead(name, outcome, says, drop))
      .map(([key, written]) => `${JSON.stringify(key)}:${JSON.stringify(written)}`)
      .join(',');
  }

  #messagesText(body: Buffer, place: FieldPlace, model: string, drop: NoteDropped): string | undefined {
    if (!this.#messages?.mayApply(body.subarray(place.start, place.end), model)) return undefined;
    const messages = parseField(body, place, 'messages') as JsonValue;
    const rewritten = this.#messages.rewrite(messages, model, drop);
    return rewritten === messages ? undefined : `"messages":${JSON.stringify(rewritten)}`;
  }
}

function asIs(name: string): string {
  return name;
}

function fieldsInstead(
  name: string,
  outcome: Exclude<FieldOutcome, 'keep' | 'refuse'>,
  says: (name: string) => boolean,
  drop: NoteDropped,
): JsonObject {
  if (outcome === 'drop') drop(name);
  if (typeof outcome !== 'object') return {};
  const fields = isFitted(outcome) ? outcome.instead : outcome;
  const written = Object.entries(fields).filter(([key]) => key === name || !says(key));
  if (written.length === 0) drop(name);
  else if (isFitted(outcome)) drop(name, outcome.fitted);
  return Object.fromEntries(written);
}

function isFitted(outcome: JsonObject | Fitted): outcome is Fitted {
  return Object.hasOwn(outcome, 'fitted');
}

function isNull(body: Buffer, { start }: FieldPlace): boolean {
  return body[start] === 0x6e;
}
