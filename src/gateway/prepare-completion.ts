import { isBeyondChat } from '../dialects/completions/beyond-chat.ts';
import { upstreamCompletions } from '../dialects/completions/upstream.ts';
import { fillDefaults } from '../dialects/default-parameters.ts';
import { findTopLevelFields } from '../dialects/request-fields.ts';
import { completionRequest } from '../upstream/relayed-paths.ts';
import type { Call } from './call.ts';
import { withCallersHeaders } from './callers-headers.ts';
import { checkRelayed } from './check-also-named.ts';
import { parseBody } from './parse-body.ts';
import type { PlannedAttempt } from './plan.ts';
import type { UpstreamRequest } from './prepare.ts';

/**
 * The request of a text completion where the provider has them itself: the caller's bytes with the model replaced. `undefined`: it is
 * translated, as to all others.
 *
 * @throws GatewayError `forbidden` for another model that it names.
 */
export function prepareCompletion(
  call: Call,
  planned: PlannedAttempt,
): Omit<UpstreamRequest, 'translate'> | undefined {
  const { target, account } = planned;
  const { upstream } = target;
  const asked = completionRequest(upstream, account, target.model, () => {
    call.request ??= parseBody(call.body);
    return isBeyondChat(call.request);
  });
  // What was begun in a conversation is gone on with in one.
  if (!asked || call.begun) return undefined;
  call.dropped = [];
  call.droppedOfAnswer = undefined;
  const headers = withCallersHeaders(call, planned, upstream.declaration, call.dropped, true);
  checkRelayed(call, target);
  // Its bytes say it, as in all that is relayed.
  call.request = undefined;
  const { passThrough } = call.door;
  const defaults = target.defaults?.completions;
  const filled = defaults && fillDefaults(call.body, defaults);
  const body = filled?.body ?? call.body;
  const spans = body === call.body ? call.spans : findTopLevelFields(body, passThrough.fields);
  if (filled) call.dropped = [...call.dropped, ...filled.dropped];
  const asksNoUsage = upstream.quirked?.takesStreamOptions === false;
  const options = { model: asked.model, stream: call.stream, asksNoUsage };
  return {
    dialect: upstreamCompletions,
    path: asked.path,
    headers,
    body: passThrough.prepareRequest(body, spans, options),
    passThrough: true,
  };
}
