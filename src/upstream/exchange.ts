/** Headers of an answer by their lower-case names; one that came more than once as a list. */
export type AnswerHeaders = Record<string, string | string[] | undefined>;

/** How an asker steers an exchange. After its end each of these does nothing. */
export interface ExchangeControl {
  readonly paused: boolean;
  /** Asks the provider to wait: no more of the answer is handed on until `resume`. */
  pause(): void;
  resume(): void;
  /** Breaks the exchange off, which ends in `onResponseError` with this reason. */
  abort(reason: Error): void;
}

/**
 * Who asks is told how it goes: the start of the request, the start of the answer, its data, and then its end or an
 * error, which may also come first. What a handler throws breaks the exchange off, and is its error; `onResponseError`
 * itself throws nothing. The names are those of undici's dispatch handlers: each of ours is one.
 */
export interface ExchangeHandler {
  /** There is a connection, and the request goes out on it. */
  onRequestStart(control: ExchangeControl): void;
  onResponseStart(control: ExchangeControl, status: number, headers: AnswerHeaders): void;
  /** The bytes are the handler's own: nobody writes into them later. */
  onResponseData(control: ExchangeControl, chunk: Buffer): void;
  onResponseEnd(control: ExchangeControl): void;
  onResponseError(control: ExchangeControl, error: Error): void;
}
