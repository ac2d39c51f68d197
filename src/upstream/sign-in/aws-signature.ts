import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import type { AwsCredentials } from '../provider.ts';
import type { Signer } from './signer.ts';

/** The only body that is sent. */
const CONTENT_TYPE = 'application/json';

/** SHA-256, keyed or not, as the signing library wants it. */
export class Sha256 {
  readonly #secret: string | ArrayBuffer | ArrayBufferView | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret;
    this.#hash = this.#create();
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#create();
  }

  #create(): Hash | Hmac {
    const secret = this.#secret;
    if (secret === undefined) return createHash('sha256');
    if (typeof secret === 'string') return createHmac('sha256', secret);
    const bytes = ArrayBuffer.isView(secret)
      ? new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength)
      : new Uint8Array(secret);
    return createHmac('sha256', bytes);
  }
}

/**
 * Signs requests to AWS with Signature Version 4: method, path, host, content type and body. The path goes into it as
 * it is sent, encoded once more as AWS does for every service but S3.
 *
 * `now`: Unix milliseconds.
 */
export function createAwsSigner(options: {
  credentials: AwsCredentials;
  region: string;
  service: string;
  now: () => number;
}): Signer {
  const { credentials, region, service, now } = options;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const identity = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  return {
    async sign({ method, origin, path, body }) {
      // Loaded by those who use it.
      const { SignatureV4 } = await import('@smithy/signature-v4');
      const signature = new SignatureV4({ service, region, credentials: identity, sha256: Sha256 });
      const { protocol, hostname, host, pathname, searchParams } = new URL(path, origin);
      const { headers } = await signature.sign(
        {
          method,
          protocol,
          hostname,
          path: pathname,
          query: Object.fromEntries(searchParams),
          headers: { host, 'content-type': CONTENT_TYPE },
          body,
        },
        { signingDate: new Date(now()) },
      );
      return Object.entries(headers)
        .filter(([name]) => name !== 'host' && name !== 'content-type')
        .flat();
    },
    reject() {},
    secrets: () => [secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken]), accessKeyId],
  };
}
