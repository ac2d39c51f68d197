import { isDeepStrictEqual } from 'node:util';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { isWatched } from '../../rollouts/progress.ts';
import type { AdminRequest } from './admin-door.ts';

/** What changes of an entry go by, beside the configuration. */
export interface EntryRules {
  /** What was sent, as it is to be written. */
  body: JsonObject;
  /** @throws GatewayError where an entry may not be changed so, or taken away, as things stand */
  check(before: JsonValue | undefined, after: JsonValue | undefined): void;
  /** Once it was taken away. */
  gone(): Promise<void>;
}

const SIDES = ['stable', 'candidate'] as const;
/** What a rollout moves, and from where to where: another one is another rollout. */
const MOVED = ['model', 'prompt', 'label', ...SIDES] as const;

/** A rollout that is under way stays what it is. A release may be sent as its number: what it is, is written. */
export async function readRolloutRules(
  { parts, body }: Pick<AdminRequest, 'parts' | 'body'>,
  name: string,
): Promise<EntryRules> {
  const stored = await parts.rollouts.findNamed(name);
  return {
    body: isObject(body) ? await writeOutReleases(parts, name, body) : {},
    check: (before, after) => {
      if (!stored || !isWatched(stored.progress)) return;
      const isSame = MOVED.every((field) => isDeepStrictEqual(fieldOf(before, field), fieldOf(after, field)));
      if (before !== undefined && !isSame) throw underWay(name, stored.progress.phase, after === undefined);
    },
    gone: () => parts.rollouts.forget(name),
  };
}

async function writeOutReleases(
  { control, releases }: AdminRequest['parts'],
  name: string,
  body: JsonObject,
): Promise<JsonObject> {
  const written = { ...body };
  const model = body['model'] ?? fieldOf(control.layers.find('rollouts', name)?.value, 'model');
  for (const side of SIDES) {
    const number = body[side];
    if (typeof number !== 'number' || typeof model !== 'string') continue;
    const found = Number.isSafeInteger(number) ? await releases.find(model, number) : undefined;
    if (!found) throw releaseNotFound(model, number);
    const { release } = found;
    written[side] = Object.keys(release).length === 1 ? release['target'] : release;
  }
  return written;
}

function fieldOf(entry: JsonValue | undefined, field: string): JsonValue | undefined {
  return isObject(entry) ? entry[field] : undefined;
}

function underWay(name: string, phase: string, isGone: boolean): GatewayError {
  const wanted = isGone ? 'it is deleted' : 'what it moves is changed; its steps and gates can be now';
  return new GatewayError(
    'invalid_request',
    `The rollout '${name}' is under way (${phase}): roll it back, or promote it, before ${wanted}.`,
    { status: 409, code: 'rollout_under_way' },
  );
}

export function releaseNotFound(model: string, number: string | number): GatewayError {
  return new GatewayError('not_found', `The model '${model}' has no release ${number}.`, {
    code: 'not_found',
  });
}
