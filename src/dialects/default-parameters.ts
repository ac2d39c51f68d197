import type { Parameters } from '../conversation/conversation.ts';
import type { CallerDialectName } from './dialect.ts';
import { skipSpace } from './json-bytes.ts';
import type { NamedModel } from './model-names.ts';
import { parameterFate } from './parameters.ts';
import { type FieldSpan, findTopLevelFields, spliceBody } from './request-fields.ts';
import { type Rival, takenDefault } from './taken-defaults.ts';
import { WordTable } from './word-table.ts';

/** What a target may have defaults of: no dialect refuses a call for these. */
export const DEFAULT_KEYS = [
  ...(['maxOutputTokens', 'temperature', 'topP', 'topK', 'frequencyPenalty'] as const),
  ...(['presencePenalty', 'seed'] as const),
];

export type DefaultParameters = Pick<Parameters, (typeof DEFAULT_KEYS)[number]>;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Other words for the same, by which a caller may have said it. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  max_completion_tokens: ['max_tokens'],
  generationConfig: ['generation_config'],
  maxOutputTokens: ['max_output_tokens'],
  topP: ['top_p'],
  topK: ['top_k'],
  frequencyPenalty: ['frequency_penalty'],
  presencePenalty: ['presence_penalty'],
};

interface Field {
  key: string;
  names: readonly string[];
  table: WordTable;
  text: string;
  /** The model refuses it beside any of these. */
  beside: readonly (Rival & { table: WordTable })[];
}

/** Defaults as one dialect says them, made once for many bodies. */
export interface DefaultFields {
  fields: readonly Field[];
  /** The top-level object that they go into, where it is not the body itself. */
  within: { names: readonly string[]; table: WordTable } | undefined;
  /** What the dialect has no word for, and what the model refuses. */
  dropped: readonly string[];
}

/** A body with its defaults, and those that the model refuses beside what the body says. */
export interface Filled {
  body: Buffer;
  dropped: readonly string[];
}

function namesOf(name: string): { names: readonly string[]; table: WordTable } {
  const names = [name, ...(ALSO[name] ?? [])];
  return { names, table: new WordTable(names) };
}

/** `model`: the target's, by its name. */
export function compileDefaults(
  parameters: DefaultParameters,
  dialect: CallerDialectName,
  model: NamedModel,
): DefaultFields {
  const fields: Field[] = [];
  const dropped: string[] = [];
  for (const key of DEFAULT_KEYS) {
    if (parameters[key] === undefined) continue;
    const fate = parameterFate(key, dialect);
    const taken = takenDefault(key, parameters, dialect, model);
    if (typeof fate === 'string' || !taken) {
      dropped.push(key);
      continue;
    }
    const name = fate.path.slice(fate.path.lastIndexOf('.') + 1);
    fields.push({
      ...{ key, ...namesOf(name) },
      text: `${JSON.stringify(name)}:${JSON.stringify(taken.value)}`,
      beside: taken.beside.map((rival) => ({ ...rival, table: new WordTable([rival.field]) })),
    });
  }
  return { fields, within: dialect === 'gemini' ? namesOf('generationConfig') : undefined, dropped };
}

/** The same for text completions, which call the limit as chat did before. Source: OpenAI API reference (create completion). */
export function compileCompletionDefaults(parameters: DefaultParameters, model: NamedModel): DefaultFields {
  const compiled = compileDefaults(parameters, 'chat', model);
  const fields = compiled.fields.map((field) => {
    const [name = ''] = field.names;
    return name === 'max_completion_tokens'
      ? { ...field, text: field.text.replace(name, 'max_tokens') }
      : field;
  });
  return { ...compiled, fields };
}

/** The body with the defaults that it does not say itself; all other bytes stay as they are. */
export function fillDefaults(body: Buffer, { fields, within, dropped }: DefaultFields): Filled {
  if (!within) return fillBeside(body, fields, dropped);
  return { body: fillWithin(body, fields, within), dropped };
}

function fillBeside(body: Buffer, fields: readonly Field[], dropped: readonly string[]): Filled {
  const missing = fields.filter((field) => isMissing(body, field));
  const taken = missing.filter(({ beside }) => !beside.some((rival) => saysRival(body, rival)));
  const refused = missing.filter((field) => !taken.includes(field)).map(({ key }) => key);
  return { body: insertFields(body, taken), dropped: [...dropped, ...refused] };
}

function saysRival(body: Buffer, { field, table, unless }: Field['beside'][number]): boolean {
  const span = findTopLevelFields(body, table)[field];
  if (!span) return false;
  const value = body.toString('utf8', span.start, span.end);
  return value !== 'null' && !(unless !== undefined && value.includes(unless));
}

function fillWithin(
  body: Buffer,
  fields: readonly Field[],
  within: NonNullable<DefaultFields['within']>,
): Buffer {
  const spans = findTopLevelFields(body, within.table);
  const span = firstOf(spans, within.names);
  if (!span) {
    const text = `${JSON.stringify(within.names[0])}:{${fields.map(({ text }) => text).join(',')}}`;
    return fields.length === 0 ? body : insertFirst(body, text);
  }
  // What is no object its provider refuses.
  if (body[span.start] !== OPEN_BRACE) return body;
  const filled = fillObject(body.subarray(span.start, span.end), fields);
  return spliceBody(body, [{ span, text: filled.toString('utf8') }]);
}

function fillObject(body: Buffer, fields: readonly Field[]): Buffer {
  return insertFields(
    body,
    fields.filter((field) => isMissing(body, field)),
  );
}

function isMissing(body: Buffer, { names, table }: Field): boolean {
  return !firstOf(findTopLevelFields(body, table), names);
}

function insertFields(body: Buffer, fields: readonly Field[]): Buffer {
  return fields.length === 0 ? body : insertFirst(body, fields.map(({ text }) => text).join(','));
}

function firstOf(
  spans: Readonly<Record<string, FieldSpan | undefined>>,
  names: readonly string[],
): FieldSpan | undefined {
  for (const name of names) if (spans[name]) return spans[name];
  return undefined;
}

/** An object with further entries before its own. */
export function insertFirst(body: Buffer, text: string): Buffer {
  const at = body.indexOf('{') + 1;
  const comma = body[skipSpace(body, at)] === CLOSE_BRACE ? '' : ',';
  return spliceBody(body, [{ span: { start: at, end: at }, text: `${text}${comma}` }]);
}
