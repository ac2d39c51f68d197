import { isDeepStrictEqual } from 'node:util';
import { releaseOf } from '../config/release.ts';
import { targetSchema } from '../config/sections/models.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Change } from './change.ts';
import type { ControlNews, NewsLog } from './control-news.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Layers } from './layers.ts';

export interface PromotionOptions {
  control: Pick<ControlPlane, 'layers' | 'change'>;
  news: ControlNews;
  log: NewsLog;
}

/** A target at its number among those of a model, as the config language writes it. */
interface TargetPlace {
  at: number;
  target: JsonValue;
}

/** A rollout that has ended, and what it moved between: targets as the config language writes them. */
export interface EndedRollout {
  name: string;
  model: string;
  end: 'promoted' | 'rolled_back';
  stable: JsonObject;
  candidate: JsonObject;
  /** The candidate's own among the targets, when it was promoted. */
  ownPlaces?: readonly TargetPlace[] | undefined;
}

/**
 * Writes the end of a rollout into the configuration: the candidate in the place of the stable target among those of the model, or, where a
 * promotion is taken back, the other way round, with the candidate where it stood beside the stable before. What the config file declares is the
 * file's to change: there the operator is told what to write.
 */
export class RolloutPromotion {
  readonly #options: PromotionOptions;

  constructor(options: PromotionOptions) {
    this.#options = options;
  }

  /**
   * Does nothing where the configuration says it already.
   *
   * @param isNews it has ended just now; else whoever is to write the file was told
   */
  async write(ended: EndedRollout, isNews: boolean): Promise<void> {
    const { control, news, log } = this.#options;
    const { name: rollout, model, end, stable, candidate } = ended;
    const { layers } = control;
    const [planned] = planEnd(layers, ended);
    if (!planned) return;
    if (layers.find('models', model)?.owner === 'file') {
      const release = end === 'promoted' ? candidate : stable;
      const { target } = release;
      const written = Object.keys(release).length === 1 ? target : JSON.stringify(release);
      const targets = isObject(planned.after) ? planned.after['targets'] : undefined;
      const message = `The rollout '${rollout}' has ended: write '${written}' as the target of '${model}' in the config file, and take the rollout out.`;
      if (isNews)
        news.tell('warning', 'rollout_to_be_written', message, {
          ...{ rollout, model, target, release },
          targets,
        });
      return;
    }
    try {
      const author = { name: `rollout ${rollout}`, source: 'api' } as const;
      await control.change(author, (newest) => planEnd(newest, ended));
    } catch (err) {
      // Calls go where the rollout says, whatever is written.
      const fields = { event: 'rollout_not_written', rollout, model, err };
      log.error(fields, 'the end of a rollout could not be written into the configuration');
    }
  }
}

/**
 * The targets of a model that are a candidate's own, beside the stable's that it is to have; `undefined` where the model does not have the
 * stable one (any more).
 */
export function ownPlacesOf(
  layers: Pick<Layers, 'find'>,
  model: string,
  stable: JsonObject,
  candidate: JsonObject,
): TargetPlace[] | undefined {
  const targets = targetsOf(layers, model);
  const moving = targets.findIndex((target) => isPlaceOf(target, stable));
  if (moving === -1) return undefined;
  return targets.flatMap((target, at) =>
    at !== moving && isPlaceOf(target, candidate) ? [{ at, target }] : [],
  );
}

function targetsOf(layers: Pick<Layers, 'find'>, model: string): JsonValue[] {
  const entry = layers.find('models', model);
  const targets = isObject(entry?.value) ? entry.value['targets'] : undefined;
  return Array.isArray(targets) ? targets : [];
}

function planEnd(layers: Layers, { model, end, stable, candidate, ownPlaces = [] }: EndedRollout): Change[] {
  const entry = layers.find('models', model);
  if (!entry || !isObject(entry.value)) return [];
  const targets = targetsOf(layers, model);
  const [from, to] = end === 'promoted' ? [stable, candidate] : [candidate, stable];
  const [at, other] = [from, to].map((release) => targets.findIndex((target) => isPlaceOf(target, release)));
  const target = at === undefined ? undefined : targets[at];
  if (at === undefined || target === undefined) return [];
  // Releases of one place are told apart by all that they say.
  if (at === other ? !isRelease(target, from) : end === 'rolled_back' && other !== -1) return [];
  const moved = targets.flatMap((target, index) => {
    if (index === at) return [replaced(target, to)];
    return isPlaceOf(target, to) ? [] : [target];
  });
  if (end === 'rolled_back') putBack(moved, ownPlaces, at);
  return [{ ...entry, before: entry.value, after: { ...entry.value, targets: moved } }];
}

function isRelease(target: JsonValue, release: JsonObject): boolean {
  const read = (written: JsonValue) => releaseOf(targetSchema.parse(written));
  return isDeepStrictEqual(read(target), read(release));
}

/** Those that somebody has put there meanwhile stay as they are. @param stable the number of the stable one */
function putBack(targets: JsonValue[], ownPlaces: readonly TargetPlace[], stable: number): void {
  const others = targets.filter((_, index) => index !== stable);
  for (const { at, target } of ownPlaces) {
    const { target: name, account } = isObject(target) ? target : { target };
    const place: JsonObject = { target: name, ...(account !== undefined && { account }) };
    if (!others.some((other) => isPlaceOf(other, place))) targets.splice(at, 0, target);
  }
}

function isPlaceOf(target: JsonValue, release: JsonObject): boolean {
  const { target: name, account } = isObject(target) ? target : { target };
  return name === release['target'] && (release['account'] ?? account) === account;
}

/** Its share among the model's targets is the place's, not the release's. */
function replaced(target: JsonValue, release: JsonObject): JsonValue {
  const weight: JsonObject =
    isObject(target) && target['weight'] !== undefined ? { weight: target['weight'] } : {};
  const written: JsonObject = { ...release, ...weight };
  return Object.keys(written).length === 1 ? (release['target'] ?? written) : written;
}
