/** A check was answered, and not by a success. */
export class CheckRefusal extends Error {
  /** The account may not ask so often: that says nothing of the address. */
  readonly isLimited: boolean;
  /** In how many milliseconds the next check is wanted, where the answer says so. */
  readonly waitMs: number | undefined;

  constructor(message: string, isLimited: boolean, waitMs: number | undefined) {
    super(message);
    this.name = 'CheckRefusal';
    this.isLimited = isLimited;
    this.waitMs = waitMs;
  }
}
