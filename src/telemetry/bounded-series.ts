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

/** Values by labels. However many labels there are in the world, there is a bound to what is kept and told of them. */
export class BoundedSeries<Name extends string, Values> {
  readonly #options: SeriesOptions<Name, Values>;
  readonly #series = new Map<string, Series<Name, Values>>();

  constructor(options: SeriesOptions<Name, Values>) {
    this.#options = options;
  }

  at(labels: Labels<Name>): Values {
    const { most, fold } = this.#options;
    const known = this.#series.get(this.#keyOf(labels));
    if (known) return known.values;
    return this.#add(this.#series.size < most ? labels : fold(labels));
  }

  all(): Iterable<Series<Name, Values>> {
    return this.#series.values();
  }

  #add(labels: Labels<Name>): Values {
    const key = this.#keyOf(labels);
    const known = this.#series.get(key);
    if (known) return known.values;
    const values = this.#options.create();
    this.#series.set(key, { labels, values });
    return values;
  }

  #keyOf(labels: Labels<Name>): string {
    let key = '';
    for (const name of this.#options.names) key += `${labels[name]}\n`;
    return key;
  }
}
