import { dayOf } from '../config/days.ts';
import type { Notices } from './notices.ts';
import type { UpstreamRetirement } from './published-retirements.ts';

interface GoneTarget {
  name: string;
  retirement?: UpstreamRetirement | undefined;
}

/** Leads the keys of what is told. */
export const GONE_KEY = 'model_gone:';

/** Targets whose models their providers do not have: each is told of once, until it answers again. Only those that models of the configuration lead to. */
export class GoneModels {
  readonly #notices: Notices;
  readonly #names = new Set<string>();

  constructor(notices: Notices) {
    this.#notices = notices;
  }

  /** `names`: those that were told of before this process was there. */
  remember(names: Iterable<string>): void {
    for (const name of names) this.#names.add(name);
  }

  /** Whether `answered` need be told. */
  get isAny(): boolean {
    return this.#names.size > 0;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** `retired`: it is known to have been there. */
  note({ name, retirement }: GoneTarget, retired: boolean): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    const successor = retirement?.successor;
    const what = retired ? 'is retired: its provider does not have it any more' : 'is not there';
    const advice = successor === undefined ? '' : `; its successor is '${successor}'`;
    this.#notices.tellOnce(GONE_KEY + name, {
      severity: 'alarm',
      kind: 'model_gone',
      message: `The target '${name}' ${what}${advice}.`,
      details: {
        ...{ target: name, retired, successor: successor ?? null },
        retiresOn: retirement ? dayOf(retirement.atMs) : null,
      },
    });
  }

  /** The target answered a call. */
  answered(name: string): void {
    if (!this.#names.delete(name)) return;
    this.#notices.takeBack(GONE_KEY + name, {
      severity: 'info',
      kind: 'model_back',
      message: `The target '${name}', which was not there, answers again.`,
      details: { target: name },
    });
  }
}
