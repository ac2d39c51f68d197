import type { Extra, Signature } from '../../conversation/conversation.ts';
import { parseExactly } from '../../conversation/exact-numbers.ts';
import { isDeeperThan, isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/*
 * The Gemini API is protobuf spoken as JSON. What follows from that (proto3 JSON mapping): a field may be spelled
 * `inlineData` or `inline_data`, a repeated field may be given as its single element, a field at its default
 * (0, "", false, an empty list) is usually left out, and bytes are base64 in either alphabet.
 */

/**
 * A protobuf message's fields under their JSON names. Only the message itself: what it holds may be a map or a
 * struct (tool arguments, JSON Schema), whose keys are the caller's and stay as they are.
 */
export function readMessage(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [jsonName(key), field]));
}

function jsonName(key: string): string {
  return key.includes('_') ? key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : key;
}

/** A message inside another, or `undefined` where the field holds none. */
export function messageIn(parent: JsonObject, key: string): JsonObject | undefined {
  const value = parent[key];
  return isObject(value) ? readMessage(value) : undefined;
}

export function listOf(value: JsonValue | undefined): JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** The objects in a repeated message field; whatever else stands there is passed over. */
export function messagesIn(parent: JsonObject, key: string): JsonObject[] {
  return listOf(parent[key]).filter(isObject).map(readMessage);
}

export function textIn(parent: JsonObject, key: string): string | undefined {
  const value = parent[key];
  return typeof value === 'string' ? value : undefined;
}

export function numberIn(parent: JsonObject, key: string): number | undefined {
  const value = parent[key];
  return typeof value === 'number' ? value : undefined;
}

/** The object without the keys whose value is `undefined`. */
export function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Lays the fields of `over` on `base`; where both hold an object, its fields are laid over each other too. */
export function overlay(base: JsonObject, over: JsonObject): JsonObject {
  const sum = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = sum.get(key);
    sum.set(key, isObject(below) && isObject(value) ? { ...below, ...value } : value);
  }
  return Object.fromEntries(sum);
}

/** Fields that the neutral model has no word for, or `undefined` where there are none. */
export function extraOf(fields: JsonObject): Extra | undefined {
  return Object.keys(fields).length > 0 ? { dialect: 'gemini', fields } : undefined;
}

/** What an earlier Gemini decoding could not say otherwise; nothing where another dialect did the decoding. */
export function ownFields(extra: Extra | undefined): JsonObject {
  return extra?.dialect === 'gemini' ? extra.fields : {};
}

export function ownSignature(signature: Signature | undefined): string | undefined {
  return signature?.dialect === 'gemini' ? signature.value : undefined;
}

/** Text in a request may hold JSON nested deeper than the request itself may be; such text stays text. */
const MAX_DEPTH = 64;

/** The object that a text is the JSON of; `undefined` where it is anything else. */
export function parseObject(text: string): JsonObject | undefined {
  const value = parseExactly(text);
  return isObject(value) && !isDeeperThan(value, MAX_DEPTH) ? value : undefined;
}
