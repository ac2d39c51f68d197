import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { changedTo } from './caller-words.ts';
import type { NamedModel } from './model-names.ts';
import { type FieldSpans, parseField, spliceEntries } from './request-fields.ts';

/**
 * How the requests of a dialect are bridged to a model of it that takes less, or other words, than the one that their client was written for,
 * however they go on: of bytes that pass through only the fields concerned are written anew, all others stay; what is encoded again is bridged
 * before it is decoded. What the models of a dialect take is in its `model-traits.ts`.
 */
export interface Bridge {
  /** Top-level fields that something may be wrong with. */
  readonly fields: readonly string[];
  /** Those that are only read by their bytes, where something is to be put into them. */
  readonly beside?: readonly string[];
  /** What must change of them. `said`: those that the request has; `bytes`: one of them as it stands, empty where it does not. */
  adapt(said: JsonObject, model: NamedModel, bytes: (field: string) => Buffer): Adaptation;
}

/** What becomes of a request. */
export class Adaptation {
  /** By the field that goes, the text of what stands in its place: entries of an object, none where it is left out. */
  readonly entries = new Map<string, string>();
  /** For the caller: what was left out, or fitted (`NAME=VALUE`). */
  readonly dropped: string[] = [];
  /** By what was said, what says the same now. */
  readonly renamed: Record<string, string> = {};

  leaveOut(field: string): this {
    this.entries.set(field, '');
    this.dropped.push(field);
    return this;
  }

  /** A field that says nothing beside what is so anyway. */
  omit(field: string): this {
    this.entries.set(field, '');
    return this;
  }

  fit(field: string, value: string | number): this {
    this.entries.set(field, entryText(field, value));
    this.dropped.push(changedTo(field, value));
    return this;
  }

  /** Writes a field with another value; what that means is for the caller of this to say. */
  write(field: string, value: JsonValue, instead = field): this {
    this.entries.set(instead, entryText(field, value));
    return this;
  }

  /** The same thing is said by another name. */
  rename(from: string, to: string): this {
    this.renamed[from] = to;
    return this;
  }
}

export interface BridgedBody {
  body: Buffer;
  dropped: readonly string[];
  renamed: Readonly<Record<string, string>>;
}

export interface BridgedRequest extends Omit<BridgedBody, 'body'> {
  request: JsonObject;
}

/** The body as the model takes it: `undefined` where it does as it is. `places`: where the bridge's fields stand. */
export function bridgeBody(
  bridge: Bridge,
  body: Buffer,
  places: FieldSpans,
  model: NamedModel,
): BridgedBody | undefined {
  let said: JsonObject | undefined;
  for (const field of bridge.fields) {
    const place = places[field];
    if (!place) continue;
    said ??= {};
    said[field] = parseField(body, place, field) as JsonValue;
  }
  if (!said) return undefined;
  const bytesOf = (field: string) => {
    const place = places[field];
    return place ? body.subarray(place.start, place.end) : Buffer.alloc(0);
  };
  const { entries, dropped, renamed } = bridge.adapt(said, model, bytesOf);
  if (entries.size === 0) return undefined;
  // In the order of the body.
  const edits = [...entries].flatMap(([field, text]) => {
    const place = places[field];
    return place ? [{ place, text }] : [];
  });
  edits.sort((a, b) => a.place.start - b.place.start);
  return { body: spliceEntries(body, edits), dropped, renamed };
}

/** A parsed request as the model takes it, like `bridgeBody`. */
export function bridgeRequest(
  bridge: Bridge,
  request: JsonObject,
  model: NamedModel,
): BridgedRequest | undefined {
  const said: JsonObject = {};
  for (const field of bridge.fields) if (request[field] !== undefined) said[field] = request[field];
  if (Object.keys(said).length === 0) return undefined;
  const bytesOf = (field: string) => {
    const value = request[field];
    return Buffer.from(value === undefined ? '' : JSON.stringify(value));
  };
  const { entries, dropped, renamed } = bridge.adapt(said, model, bytesOf);
  if (entries.size === 0) return undefined;
  const bridged: JsonObject = {};
  for (const [field, value] of Object.entries(request)) {
    const text = entries.get(field);
    if (text === undefined) bridged[field] = value;
    else Object.assign(bridged, JSON.parse(`{${text}}`) as JsonObject);
  }
  return { request: bridged, dropped, renamed };
}

export function entryText(field: string, value: JsonValue): string {
  return `${JSON.stringify(field)}:${JSON.stringify(value)}`;
}
