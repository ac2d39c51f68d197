import { isDeepStrictEqual } from 'node:util';
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

/**
 * Writes the end of a rollout into the configuration: the candidate in the place of the stable target among those of the model, or, where a
 * promotion is taken back, the other way round. What the config file declares is the file's to change: there the operator is told what to write.
 */
export class RolloutPromotion {
  readonly #options: PromotionOptions;

  constructor(options: PromotionOptions) {
    this.#options = options;
  }

  promoted(rollout: string, model: string): Promise<void> {
    return this.#move(rollout, model, 'stable', 'candidate');
  }

  takenBack(rollout: string, model: string): Promise<void> {
    return this.#move(rollout, model, 'candidate', 'stable');
  }

  async #move(rollout: string, model: string, from: Side, to: Side): Promise<void> {
    const { control, news, log } = this.#options;
    const { layers } = control;
    if (layers.find('models', model)?.owner === 'file') {
      const target = nameOf(releaseOf(layers, rollout, to));
      const message = `The rollout '${rollout}' has ended: write '${target}' as the target of '${model}' in the config file, and take the rollout out.`;
      if (planMove(layers, rollout, model, from, to).length > 0)
        news.tell('warning', 'rollout_to_be_written', message, { rollout, model, target });
      return;
    }
    try {
      const author = { name: `rollout ${rollout}`, source: 'api' } as const;
      await control.change(author, (newest) => planMove(newest, rollout, model, from, to));
    } catch (err) {
      // Calls go where the rollout says, whatever is written.
      const fields = { event: 'rollout_not_written', rollout, model, err };
      log.error(fields, 'the end of a rollout could not be written into the configuration');
    }
  }
}

type Side = 'stable' | 'candidate';

function planMove(layers: Layers, rollout: string, model: string, from: Side, to: Side): Change[] {
  const entry = layers.find('models', model);
  const [before, after] = [releaseOf(layers, rollout, from), releaseOf(layers, rollout, to)];
  if (!entry || !isObject(entry.value) || !Array.isArray(entry.value['targets']) || after === undefined)
    return [];
  const targets = entry.value['targets'].map((target) =>
    nameOf(target) === nameOf(before) ? replaced(target, after) : target,
  );
  const value = { ...entry.value, targets };
  return isDeepStrictEqual(value, entry.value) ? [] : [{ ...entry, before: entry.value, after: value }];
}

function releaseOf(layers: Layers, rollout: string, side: Side): JsonValue | undefined {
  const value = layers.find('rollouts', rollout)?.value;
  return isObject(value) ? value[side] : undefined;
}

function nameOf(target: JsonValue | undefined): JsonValue | undefined {
  return isObject(target) ? target['target'] : target;
}

/** Its share among the model's targets is the place's, not the release's. */
function replaced(target: JsonValue, release: JsonValue): JsonValue {
  const weight: JsonObject =
    isObject(target) && target['weight'] !== undefined ? { weight: target['weight'] } : {};
  if (isObject(release)) return { ...release, ...weight };
  return Object.keys(weight).length === 0 ? release : { target: release, ...weight };
}
