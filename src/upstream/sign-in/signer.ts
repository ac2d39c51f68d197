import type { Method } from '../connections.ts';

/** What signing needs to know of a request. */
export interface SignableRequest {
  method: Method;
  /** Scheme, host and port. */
  origin: string;
  /** Path and query, as they are sent. */
  path: string;
  body: Buffer;
}

/** Makes the headers that carry the credential where they differ from request to request, or change with time. */
export interface Signer {
  /**
   * The headers, names and values in turns; `content-type: application/json` and `host` go beside them.
   *
   * @throws GatewayError `upstream_unavailable` where there is no credential to be had; its `cause` is for the operator.
   */
  sign(request: SignableRequest): Promise<string[]>;
  /** What is signed with can be another next time: access tokens, which may be revoked. */
  renews?: true;
  /** The provider did not accept what was signed: nothing that is remembered is used again. */
  reject(): void;
  /** What must never be told to anyone. */
  secrets(): readonly string[];
}
