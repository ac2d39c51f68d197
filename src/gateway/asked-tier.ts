import type { DialectName } from '../conversation/conversation.ts';
import type { Usage } from '../conversation/usage.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import { type AskedTier, readAskedTier, type ServedTier } from '../dialects/tiers.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import type { Call } from './call.ts';
import { estimateUsage } from './estimate-usage.ts';
import type { PlannedAttempt } from './plan.ts';

/** Which targets are told the tier that a caller asks for (`dialects/parameters.ts`); to others it is dropped, and named. */
const TOLD: Record<CallerDialectName, ReadonlySet<DialectName>> = {
  chat: new Set(['chat', 'responses', 'converse']),
  responses: new Set(['chat', 'responses', 'converse']),
  messages: new Set(['messages']),
  gemini: new Set(['gemini']),
};

/** The tier that a call asks for where one of its attempts goes; `undefined` for the standard one. */
export function findAskedTier(call: Call, { target, account }: PlannedAttempt): AskedTier | undefined {
  const { door, stream } = call;
  const asked = readAsked(call);
  if (!asked) return undefined;
  const endpoint = findEndpoint(target.upstream, account, {
    operation: door.operation,
    relaysAs: door.relaysAs,
    model: target.model,
    stream,
    dialect: door.dialect.name,
  });
  return endpoint && TOLD[door.dialect.name].has(endpoint.dialect.name) ? asked : undefined;
}

/** What a call is taken to have used where nobody says, in the tier that its answer names, or else the one that it asked for. */
export function estimateCall(call: Call, output: number, served?: ServedTier): Usage {
  return inTier(call, estimateUsage(call.body.length, output), served);
}

export function inTier(call: Call, usage: Usage, served: ServedTier): Usage {
  const tier = served === undefined ? askedTierOf(call) : (served ?? undefined);
  if (tier !== undefined) usage.tier = tier;
  return usage;
}

/** The tier that the newest attempt asks for; `undefined` for the standard one. */
export function askedTierOf(call: Call): string | undefined {
  const asked = readAsked(call);
  return asked && call.spoken && TOLD[call.door.dialect.name].has(call.spoken.name) ? asked.tier : undefined;
}

function readAsked({ door, body, spans }: Call): AskedTier | undefined {
  return door.operation === 'generate' ? readAskedTier(body, spans, door.dialect.name) : undefined;
}
