import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { fitParameter, lossNames, setPath } from '../messages/encode-parameters.ts';
import { parameterName, planParameters } from '../parameters.ts';
import type { EncodeContext } from './encode-context.ts';

/** What other dialects' service tiers mean here; `''`: the default, which needs no word. Source: Bedrock API reference (`ServiceTier`). */
const SERVICE_TIERS = new Map<JsonValue, string>([
  ['auto', ''],
  ['default', 'default'],
  ['standard_only', 'default'],
  ['flex', 'flex'],
  ['priority', 'priority'],
  ['reserved', 'reserved'],
]);

/** The sampling parameters of the body, all but `maxTokens`. */
export function encodeParameters(context: EncodeContext, thinks: boolean): JsonObject {
  const { conversation, traits, dropped } = context;
  const plan = planParameters(conversation, 'converse');
  for (const name of plan.dropped) dropped.add(name);
  const body: JsonObject = {};
  for (const { key, path, value } of plan.written) {
    if (key === 'maxOutputTokens') continue;
    const name = parameterName(conversation, key);
    if (key === 'serviceTier') {
      const tier = SERVICE_TIERS.get(value as JsonValue);
      if (tier === undefined) dropped.add(name);
      else if (tier !== '') setPath(body, path.split('.'), tier);
      continue;
    }
    const place = key === 'topK' ? traits.topK && `additionalModelRequestFields.${traits.topK}` : path;
    const fitted =
      place === undefined ? undefined : fitParameter(context.messages, key, value as JsonValue, thinks);
    for (const loss of lossNames(name, value as JsonValue, fitted)) dropped.add(loss);
    if (fitted !== undefined && place !== undefined) setPath(body, place.split('.'), fitted);
  }
  return body;
}
