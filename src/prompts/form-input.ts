import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { decodeUtf8 } from '../conversation/utf8.ts';
import type { FormPart } from '../dialects/multipart/read-form.ts';
import type { Prompt } from './compile-prompt.ts';
import { allowsText, namesType, propertiesOf, readTexts } from './text-values.ts';
import { parseInput } from './written-number.ts';

/** Source: RFC 6838 4.2. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

/**
 * The input that a form holds: its fields, as JSON where the schema has no text, and its files, as data URLs. What stands there more than
 * once is a list.
 *
 * @throws GatewayError `invalid_request`
 */
export function readFormInput(prompt: Prompt, parts: readonly FormPart[]): JsonObject {
  const properties = propertiesOf(prompt.input?.schema);
  // A field may be called '__proto__'.
  const single = new Map<string, JsonValue>();
  const lists = new Map<string, JsonValue[]>();
  for (const part of parts) {
    const { name } = part;
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const isList = isObject(property) && namesType(property, 'array');
    if (isList && (part.isFile || !isJsonList(part))) {
      lists.set(name, [...(lists.get(name) ?? []), itemOf(part, property['items'])]);
      continue;
    }
    if (single.has(name)) throw invalidRequest(`'${name}' stands twice in the form.`, name);
    const takesMessages = prompt.takesHistory || prompt.tools.length > 0;
    const isHistory = name === 'messages' && property === undefined && takesMessages;
    single.set(name, isHistory ? (tryParseJson(textOf(part)) ?? textOf(part)) : readValue(part));
  }
  const both = [...lists.keys()].find((name) => single.has(name));
  if (both !== undefined) throw invalidRequest(`'${both}' stands twice in the form.`, both);
  return { ...readTexts(prompt, Object.fromEntries(single)), ...Object.fromEntries(lists) };
}

function isJsonList(part: FormPart): boolean {
  return Array.isArray(tryParseJson(textOf(part)));
}

function itemOf(part: FormPart, schema: JsonValue | undefined): JsonValue {
  const value = readValue(part);
  return part.isFile || allowsText(schema) ? value : (parseInput(value) ?? value);
}

function readValue(part: FormPart): string {
  return part.isFile ? dataUrlOf(part) : textOf(part);
}

function textOf({ name, content }: FormPart): string {
  const text = decodeUtf8(content);
  if (text === undefined) throw invalidRequest(`'${name}' is not valid UTF-8.`, name);
  return text;
}

function dataUrlOf({ name, contentType = 'application/octet-stream', content }: FormPart): string {
  if (!MEDIA_TYPE.test(contentType)) throw invalidRequest(`The content type of '${name}' is none.`, name);
  return `data:${contentType};base64,${content.toString('base64')}`;
}
