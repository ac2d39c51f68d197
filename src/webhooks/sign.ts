import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** What says that a delivery is ours, and which one it is. */
export interface SignedHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/**
 * The headers of a delivery by the Standard Webhooks specification 1.0.0 (standardwebhooks.com): HMAC-SHA256 of
 * `ID.TIMESTAMP.BODY`, one signature of each secret, so that a receiver can have either while one is replaced.
 *
 * @param id stays the same however often it is sent: receivers know it again by that
 * @param sentAt Unix milliseconds, of this attempt
 * @param secrets `whsec_…`
 */
export function signDelivery(
  id: string,
  sentAt: number,
  body: string,
  secrets: readonly string[],
): SignedHeaders {
  const timestamp = String(Math.floor(sentAt / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
