import { isObject, type JsonObject } from '../conversation/json.ts';
import { dayOf } from '../lifecycle/days.ts';
import type { Move } from '../lifecycle/list-retiring.ts';
import type { Change } from './change.ts';
import type { ControlNews } from './control-news.ts';
import type { ControlPlane } from './control-plane.ts';
import { claimKey, type EventLog } from './event-log.ts';
import type { Layers } from './layers.ts';

/** Leads the keys under which drafts are noted: one that somebody took away is not made again. */
const DRAFTED_KEY = 'drafted:';

const AUTHOR = 'lifecycle';

const LONGEST_NAME = 128;

export interface RolloutDraftOptions {
  control: Pick<ControlPlane, 'layers' | 'change' | 'config'>;
  events: Pick<EventLog, 'toldUnder'>;
  news: Pick<ControlNews, 'tell'>;
  now(): number;
  /** Starts a rollout that is a draft yet. */
  start(name: string, by: string): Promise<void>;
}

/** Another instance drafted it. */
class AlreadyDrafted extends Error {}

/**
 * Drafts rollouts of models away from targets that their providers take away, each once, as a revision of its own. No model that a
 * rollout is about already gets a second one.
 */
export class RolloutDrafts {
  readonly #options: RolloutDraftOptions;

  constructor(options: RolloutDraftOptions) {
    this.#options = options;
  }

  async draft(moves: readonly Move[]): Promise<void> {
    const { control, events, start } = this.#options;
    const { draftRollouts, startRollouts } = control.config.lifecycle;
    if (!draftRollouts) return;
    const drafted = new Set(await events.toldUnder(DRAFTED_KEY));
    for (const move of moves) {
      const name = draftName(move);
      if (!drafted.has(name)) await this.#draft(name, move);
    }
    if (!startRollouts) return;
    for (const name of await events.toldUnder(DRAFTED_KEY)) await start(name, AUTHOR);
  }

  async #draft(name: string, move: Move): Promise<void> {
    const { control, news, now } = this.#options;
    // Where there is nothing to change no revision is made, and nothing noted.
    const plan = (layers: Layers) => planDraft(layers, name, move);
    if (plan(control.layers).length === 0) return;
    try {
      const { changes } = await control.change({ name: AUTHOR, source: 'api' }, plan, {
        alongside: async (db) => {
          if (!(await claimKey(db, DRAFTED_KEY + name, now()))) throw new AlreadyDrafted();
        },
      });
      if (changes.length === 0) return;
    } catch (error) {
      if (error instanceof AlreadyDrafted) return;
      throw error;
    }
    const { model, stable, candidate, atMs } = move;
    const on = dayOf(atMs);
    const message = `The rollout '${name}' was drafted: it moves '${model}' from '${stable}', which its provider takes away on ${on}, to '${candidate}'.`;
    news.tell('info', 'rollout_drafted', message, { rollout: name, model, stable, candidate, retiresOn: on });
  }
}

function planDraft(layers: Layers, name: string, { model, stable, candidate }: Move): Change[] {
  const isAbout = (value: unknown) => isObject(value) && value['model'] === model;
  if (layers.find('rollouts', name)) return [];
  if (layers.ofKind('rollouts').some(({ value }) => isAbout(value))) return [];
  const settings = layers.find('settings', 'lifecycle')?.value;
  const template = isObject(settings) && isObject(settings['rollout']) ? settings['rollout'] : {};
  const after: JsonObject = { model, stable, candidate, ...template };
  return [{ owner: 'api', kind: 'rollouts', name, before: undefined, after }];
}

function draftName({ model, candidate }: Move): string {
  const successor = candidate.slice(candidate.indexOf('/') + 1);
  return `${model}-to-${successor}`.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, LONGEST_NAME);
}
