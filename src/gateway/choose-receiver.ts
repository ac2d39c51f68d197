import { GatewayError } from '../conversation/gateway-error.ts';
import { createStreamReader } from '../upstream/stream-reader.ts';
import type { Call } from './call.ts';
import { chooseRelay, relayContent } from './choose-relay.ts';
import type { Gateway } from './gateway.ts';
import { ObjectRelay } from './object-relay.ts';
import type { PlannedAttempt } from './plan.ts';
import type { UpstreamRequest } from './prepare.ts';
import type { AttemptControl, CommittingReceiver, Receiver } from './receiver.ts';
import { BodyRelay } from './relay-body.ts';
import { StreamRelay } from './relay-stream.ts';
import { followAnswer } from './shadow-answer.ts';
import { BodyTranslator } from './translate-body.ts';
import { StreamTranslator } from './translate-stream.ts';

type Headers = Record<string, string | string[] | undefined>;

/**
 * What takes an answer that a provider began with success, by what was asked and what its head says.
 *
 * @throws GatewayError `upstream_unavailable` where it is a web page
 */
export function chooseReceiver(
  gateway: Gateway,
  call: Call,
  attempt: AttemptControl,
  planned: PlannedAttempt,
  { passThrough, translate, dialect }: UpstreamRequest,
  headers: Headers,
): Receiver | CommittingReceiver {
  const { target, account } = planned;
  const { object } = call;
  if (object?.does === 'content') {
    return relayContent(gateway, call, attempt, headers, relayedLength(headers));
  }
  if (object) return new ObjectRelay(gateway, call, attempt, planned, object);
  const type = String(headers['content-type'] ?? '');
  if (/^text\/html/i.test(type)) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider '${target.upstream.name}' answered with a web page.`,
    );
  }
  if (call.door.relayedPlace) {
    return chooseRelay(gateway, call, attempt, account, headers, relayedLength(headers));
  }
  // Servers that stream do not all say so; those that do not stream say JSON.
  if (call.stream && !/json/i.test(type)) {
    if (passThrough) {
      const shadow = followAnswer(call, () => dialect.streamDecoder());
      return new StreamRelay(gateway, call, attempt, account, shadow);
    }
    const reader = createStreamReader(type);
    return new StreamTranslator(gateway, call, attempt, reader, dialect.streamDecoder());
  }
  if (call.begun) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider '${target.upstream.name}' did not answer with a stream.`,
    );
  }
  if (!passThrough || call.stream) {
    return new BodyTranslator(gateway, call, attempt, (answer) => translate(answer, headers));
  }
  return new BodyRelay(gateway, call, attempt, relayedLength(headers));
}

/** Whether it may begin an answer that it does not have whole. */
export function isCommitting(receiver: Receiver | CommittingReceiver): receiver is CommittingReceiver {
  return 'breakOff' in receiver;
}

/** The length that the client can be told: what comes out of a decompressor has another. */
function relayedLength(headers: Headers): string | undefined {
  const length = headers['content-length'];
  return headers['content-encoding'] === undefined && typeof length === 'string' ? length : undefined;
}
