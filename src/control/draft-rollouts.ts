import { isDeepStrictEqual } from 'node:util';
import { dayOf } from '../config/days.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import type { Move } from '../lifecycle/list-retiring.ts';
import type { Change } from './change.ts';
import type { ControlNews } from './control-news.ts';
import type { ControlPlane } from './control-plane.ts';
import type { OwnedEntry } from './entry.ts';
import { claimKey, type EventLog } from './event-log.ts';
import type { Layers } from './layers.ts';

/** Leads the keys under which drafts are noted: one that somebody took away is not made again. */
const DRAFTED_KEY = 'drafted:';

const AUTHOR = 'lifecycle';

const LONGEST_NAME = 128;

export interface RolloutDraftOptions {
  control: Pick<ControlPlane, 'layers' | 'change' | 'config'>;
  events: Pick<EventLog, 'toldUnder'>;
  news: Pick<ControlNews, 'tell' | 'tellOnce'>;
  now(): number;
  /** Starts a rollout that is a draft yet. */
  start(name: string, by: string): Promise<void>;
  /** How a rollout has ended; `undefined` where it has not. */
  endOf(name: string): Promise<RolloutEnd | undefined>;
  /** What is known of a rollout that was taken out of the configuration is to be forgotten. */
  forget(name: string): Promise<void>;
}

export type RolloutEnd = 'promoted' | 'rolled_back';

/** Another instance drafted it. */
class AlreadyDrafted extends Error {}

/**
 * Drafts rollouts of models away from targets that their providers take away, each once, as a revision of its own. No model that a
 * rollout is about already gets a second one; one that has ended makes room for the draft.
 */
export class RolloutDrafts {
  readonly #options: RolloutDraftOptions;
  /** What this process told: others' word is in the store. */
  readonly #told = new Set<string>();

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
    const { control, news, now, forget } = this.#options;
    const earlier = rolloutsOf(control.layers, move.model)[0];
    if (earlier && !(await this.#isPast(earlier, move))) return;
    if (earlier?.owner === 'file') {
      this.#tellBlocked(name, move, earlier.name);
      return;
    }
    // Where there is nothing to change no revision is made, and nothing noted.
    const plan = (layers: Layers) => planDraft(layers, name, move, earlier);
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
    news.tell('info', 'rollout_drafted', message, {
      ...{ rollout: name, model, stable, candidate, retiresOn: on },
      ...(earlier && { inPlaceOf: earlier.name }),
    });
    if (earlier) await forget(earlier.name);
  }

  /** Whether calls go where the configuration says without it, and it did not try already what is to be drafted. */
  async #isPast({ name }: OwnedEntry, { candidate }: Move): Promise<boolean> {
    const { control, endOf } = this.#options;
    const moved = control.config.rollouts[name]?.move;
    const end = moved && (await endOf(name));
    if (!end || moved.isMoved !== (end === 'promoted')) return false;
    const tried = `${moved.candidate.provider}/${moved.candidate.model}`;
    return end === 'promoted' || tried !== candidate;
  }

  #tellBlocked(rollout: string, { model }: Move, ended: string): void {
    const key = `not_drafted:${rollout}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.news.tellOnce(key, {
      ...{ severity: 'warning', kind: 'rollout_not_drafted' },
      message: `The rollout '${rollout}' was not drafted: '${ended}' moves '${model}' and has ended; take it out of the config file.`,
      details: { rollout, model, ended },
    });
  }
}

function rolloutsOf(layers: Layers, model: string): OwnedEntry[] {
  return layers.ofKind('rollouts').filter(({ value }) => isObject(value) && value['model'] === model);
}

/** @param ended the rollout that makes room, unless it is another one by now */
function planDraft(
  layers: Layers,
  name: string,
  { model, stable, candidate }: Move,
  ended: OwnedEntry | undefined,
): Change[] {
  if (layers.find('rollouts', name)) return [];
  const going = rolloutsOf(layers, model);
  if (!going.every((entry) => isDeepStrictEqual(entry, ended))) return [];
  const settings = layers.find('settings', 'lifecycle')?.value;
  const template = isObject(settings) && isObject(settings['rollout']) ? settings['rollout'] : {};
  const after: JsonObject = { model, stable, candidate, ...template };
  return [
    ...going.map(({ value: before, ...entry }) => ({ ...entry, before, after: undefined })),
    { owner: 'api', kind: 'rollouts', name, before: undefined, after },
  ];
}

function draftName({ model, candidate }: Move): string {
  const successor = candidate.slice(candidate.indexOf('/') + 1);
  return `${model}-to-${successor}`.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, LONGEST_NAME);
}
