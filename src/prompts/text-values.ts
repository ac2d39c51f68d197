import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Prompt } from './compile-prompt.ts';
import { parseInput } from './written-number.ts';

/** Fields of an input that came as text alone (a form, `metadata`), as their schema has them: JSON where no text may stand. */
export function readTexts(
  { input }: Pick<Prompt, 'input'>,
  texts: Readonly<Record<string, JsonValue>>,
): JsonObject {
  const properties = propertiesOf(input?.schema);
  const values: [string, JsonValue][] = Object.entries(texts).map(([name, value]) => [
    name,
    typeof value === 'string' && !allowsText(Object.hasOwn(properties, name) ? properties[name] : undefined)
      ? (parseInput(value) ?? value)
      : value,
  ]);
  return Object.fromEntries(values);
}

/** The one field of an input that is a text for whoever sends no more than that, beside what is `given`. */
export function findTextInput(
  { input, inputDefaults }: Pick<Prompt, 'input' | 'inputDefaults'>,
  given: JsonObject,
): string | undefined {
  const properties = propertiesOf(input?.schema);
  const required = input?.schema['required'];
  const texts = Object.keys(properties).filter(
    (name) =>
      isFreeText(properties[name]) && !Object.hasOwn(given, name) && !Object.hasOwn(inputDefaults, name),
  );
  const needed = texts.filter((name) => Array.isArray(required) && required.includes(name));
  const [one, other] = needed.length > 0 ? needed : texts;
  return other === undefined ? one : undefined;
}

export function propertiesOf(schema: JsonObject | undefined): JsonObject {
  const properties = schema?.['properties'];
  return isObject(properties) ? properties : {};
}

function isFreeText(schema: JsonValue | undefined): boolean {
  return isObject(schema) && namesType(schema, 'string') && schema['enum'] === undefined;
}

/** What says no type may be text. */
export function allowsText(schema: JsonValue | undefined): boolean {
  if (!isObject(schema) || schema['type'] === undefined) return true;
  return namesType(schema, 'string');
}

/** Whether a type is one of those that a schema names: what may be left out may be `null`, too. */
export function namesType({ type }: JsonObject, wanted: string): boolean {
  return type === wanted || (Array.isArray(type) && type.includes(wanted));
}
