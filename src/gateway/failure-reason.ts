import type { GatewayError } from '../conversation/gateway-error.ts';

/** What a provider's word for an error may look like in a record; it may be anything. */
const WORD = /^[\w.-]{1,64}$/;

/**
 * Why an attempt failed, as one short word for its record: what went wrong with the connection, else the provider's own code or type of
 * error (or the gateway's, where it is about our account), else what is known by the status.
 *
 * @param status the provider's; `null` where no answer came
 */
export function failureReason({ reason, code, type, kind }: GatewayError, status: number | null): string {
  const said = reason ?? word(code) ?? word(type);
  if (said !== undefined) return said;
  if (status === null || !kind.startsWith('upstream_')) return kind;
  return status < 300 ? 'broken_answer' : `status_${status}`;
}

function word(text: string | undefined): string | undefined {
  return text !== undefined && WORD.test(text) ? text : undefined;
}
