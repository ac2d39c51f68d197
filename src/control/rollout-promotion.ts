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

/** A rollout that has ended, and what it moved between: targets as the config language writes them. */
export interface EndedRollout {
  name: string;
  model: string;
  end: 'promoted' | 'rolled_back';
  stable: JsonObject;
  candidate: JsonObject;
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

  /**
   * Does nothing where the configuration says it already.
   *
   * @param isNews it has ended just now; else whoever is to write the file was told
   */
  async write(ended: EndedRollout, isNews: boolean): Promise<void> {
    const { control, news, log } = this.#options;
    const { name: rollout, model, end, stable, candidate } = ended;
    const { layers } = control;
    if (planEnd(layers, ended).length === 0) return;
    if (layers.find('models', model)?.owner === 'file') {
      const release = end === 'promoted' ? candidate : stable;
      const { target } = release;
      const written = Object.keys(release).length === 1 ? target : JSON.stringify(release);
      const message = `The rollout '${rollout}' has ended: write '${written}' as the target of '${model}' in the config file, and take the rollout out.`;
      if (isNews) news.tell('warning', 'rollout_to_be_written', message, { rollout, model, target, release });
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

function planEnd(layers: Layers, { model, end, stable, candidate }: EndedRollout): Change[] {
  const entry = layers.find('models', model);
  if (!entry || !isObject(entry.value)) return [];
  const { targets } = entry.value;
  if (!Array.isArray(targets)) return [];
  const isMoved = !targets.some((target) => isPlaceOf(target, stable));
  // One that was never promoted leaves the model as it is.
  const [from, to] = end === 'promoted' ? [stable, candidate] : [candidate, stable];
  if (isMoved === (end === 'promoted')) return [];
  const at = targets.findIndex((target) => isPlaceOf(target, from));
  if (at === -1) return [];
  const moved = targets.flatMap((target, index) => {
    if (index === at) return [replaced(target, to)];
    return isPlaceOf(target, to) ? [] : [target];
  });
  return [{ ...entry, before: entry.value, after: { ...entry.value, targets: moved } }];
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
