import { createHash } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** A release of a model, or a version of a prompt, under its number. */
export interface NumberedRelease {
  number: number;
  /** As the config language writes a target: what calls are sent to, and with what. Of a prompt, its `version` and `hash`. */
  release: JsonObject;
}

/** A place of the candidate's own among the targets of its model: the promotion takes it out, and the way back puts it there again. */
export interface OwnPlace {
  /** Its number among the targets, from 0. */
  at: number;
  /** As the config language writes it. */
  target: JsonValue;
}

/** What a rollout was when it began: what it moves between, whoever changes the model meanwhile. */
export interface Origin {
  stable: NumberedRelease;
  candidate: NumberedRelease;
  /** In their order, as they were when it was promoted; absent before, and of a prompt's. */
  ownPlaces?: OwnPlace[] | undefined;
  /** Unix milliseconds: what calls that began before then came to is of an earlier one of its name. */
  at: number;
  /** Who began it, and who agreed where that was needed. */
  by: string;
  approvedBy?: string;
}

/** As doors and events tell it. */
export function describeRelease({ number, release }: NumberedRelease): JsonObject {
  return { release: number, ...release };
}

/** The same of what is the same, in whatever order it is written: SHA-256, in hex. */
export function hashRelease(release: JsonObject): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder(release)))
    .digest('hex');
}

function inOrder(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((entry) => inOrder(entry) ?? null);
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, inOrder(value[name])]));
}
