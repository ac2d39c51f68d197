import type { JsonObject } from '../../src/conversation/json.ts';

/** A request that a fake does not serve: the status, headers and error body that the real API answers with. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, body: JsonObject, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}
