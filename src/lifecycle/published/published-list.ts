/** What a vendor says of the models that it takes out of its API, as its page had it on a day. Days are UTC, `YYYY-MM-DD`. */
export interface PublishedList {
  source: string;
  /** The day that its rows are true of, as far as is known. */
  asOf: string;
  rows: readonly PublishedRow[];
}

/** The successor is the one that the vendor recommends, at the same vendor. Names are exact: what is not listed, nothing is known of. */
export type PublishedRow = readonly [
  models: readonly string[],
  announcedOn: string | undefined,
  retiresOn: string,
  successor: string | undefined,
];
