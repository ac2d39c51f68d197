export type Labels<Name extends string> = Readonly<Record<Name, string>>;

export interface Series<Name extends string, Values> {
  readonly labels: Labels<Name>;
  readonly values: Values;
}

export interface SeriesOptions<Name extends string, Values> {
  /** In this order they tell series apart. */
  names: readonly Name[];
  create(): Values;
  /** How many there are at most, before labels are folded. */
  most: number;
  /** The labels of what comes beyond that: few, whatever it is. */
  fold(labels: Labels<Name>): Labels<Name>;
}

/** A label's values lead to those of the next; the last ones to a series. Texts would have to be put together for one map of all. */
interface Branch<Values> {
  readonly next: Map<string, Branch<Values>>;
  values: Values | undefined;
}

/** Values by labels. However many labels there are in the world, there is a bound to what is kept and told of them. */
export class BoundedSeries<Name extends string, Values> {
  readonly #options: SeriesOptions<Name, Values>;
  readonly #names: readonly Name[];
  readonly #root: Branch<Values> = { next: new Map(), values: undefined };
  readonly #series: Series<Name, Values>[] = [];

  constructor(options: SeriesOptions<Name, Values>) {
    this.#options = options;
    this.#names = options.names;
  }

  at(labels: Labels<Name>): Values {
    const known = this.#find(labels);
    if (known !== undefined) return known;
    const { most, fold } = this.#options;
    return this.#add(this.#series.length < most ? labels : fold(labels));
  }

  all(): Iterable<Series<Name, Values>> {
    return this.#series;
  }

  #find(labels: Labels<Name>): Values | undefined {
    let branch: Branch<Values> | undefined = this.#root;
    for (const name of this.#names) {
      branch = branch.next.get(labels[name]);
      if (!branch) return undefined;
    }
    return branch.values;
  }

  #add(labels: Labels<Name>): Values {
    let branch = this.#root;
    for (const name of this.#names) {
      let next = branch.next.get(labels[name]);
      if (!next) {
        next = { next: new Map(), values: undefined };
        branch.next.set(labels[name], next);
      }
      branch = next;
    }
    if (branch.values === undefined) {
      branch.values = this.#options.create();
      this.#series.push({ labels, values: branch.values });
    }
    return branch.values;
  }
}
