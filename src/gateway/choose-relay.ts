import type { Account } from '../upstream/upstream.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { AttemptControl, CommittingReceiver } from './receiver.ts';
import { BodyRelay } from './relay-body.ts';
import { BytesRelay } from './relay-bytes.ts';
import { StreamRelay } from './relay-stream.ts';

type Headers = Record<string, string | string[] | undefined>;

/** What is told of a content beside its bytes. */
const CONTENT_HEADERS = ['content-type', 'content-disposition'];

/**
 * The receiver of an answer that is only relayed, by what the provider says that it is: whether one streams, or answers
 * with text instead of JSON, is for parameters to say that the gateway does not read.
 */
export function chooseRelay(
  gateway: Gateway,
  call: Call,
  attempt: AttemptControl,
  account: Account,
  headers: Headers,
  length: string | undefined,
): CommittingReceiver {
  const type = String(headers['content-type'] ?? '');
  if (/^text\/event-stream/i.test(type)) {
    call.stream = true;
    return new StreamRelay(gateway, call, attempt, account);
  }
  if (/^application\/json *(?:;|$)/i.test(type)) return new BodyRelay(gateway, call, attempt, length);
  return relayContent(gateway, call, attempt, headers, length);
}

/** Relays bytes as they are, whatever they are. */
export function relayContent(
  gateway: Gateway,
  call: Call,
  attempt: AttemptControl,
  headers: Headers,
  length: string | undefined,
): CommittingReceiver {
  const told = CONTENT_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [name, value] : [];
  });
  if (length !== undefined) told.push('content-length', length);
  return new BytesRelay(gateway, call, attempt, told);
}
