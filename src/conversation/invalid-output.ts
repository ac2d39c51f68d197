import { GatewayError } from './gateway-error.ts';
import type { JsonObject } from './json.ts';
import type { Usage } from './usage.ts';

/** A whole answer of a model that is not what its caller wants of it. Its provider did what it was asked to. */
export class InvalidOutput extends GatewayError {
  /** What the model said; absent where to ask it again would not help. */
  readonly said: string | undefined;
  /** Why that cannot be used: a sentence's end, `it is no JSON`. */
  readonly why: string;

  constructor(
    message: string,
    options: {
      code: string;
      said: string | undefined;
      why: string;
      usage: Usage | undefined;
      details?: JsonObject | undefined;
    },
  ) {
    const { code, usage, details } = options;
    // Whoever asks again pays again, and it was asked again already.
    super('upstream_unavailable', message, { code, reason: code, usage, details, retryable: false });
    this.said = options.said;
    this.why = options.why;
  }
}
