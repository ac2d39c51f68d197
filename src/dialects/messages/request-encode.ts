import type { Conversation } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { EncodedRequest } from '../dialect.ts';
import { foreignFields } from '../foreign-fields.ts';
import { foreignParts, isReasoningOf } from '../foreign-parts.ts';
import { withLegalNames } from '../legal-names.ts';
import { offerTools } from '../offered-tools.ts';
import { isVisible, withTakenStops } from '../stops/taken-stops.ts';
import { encodeContext } from './encode-context.ts';
import { encodeParameters, planMaxTokens } from './encode-parameters.ts';
import { planTools, TOOL_NAMES } from './encode-tools.ts';
import { encodeTurns } from './encode-turns.ts';
import { ownFields } from './fields.ts';
import { planOutput } from './output-format.ts';
import { planThinking } from './thinking.ts';

/**
 * The body of a `POST /v1/messages` for `anthropic-version: 2023-06-01`.
 *
 * @throws GatewayError `invalid_request` where the API would refuse the conversation or answer something else.
 */
export function encodeRequest(asked: Conversation, model: string): EncodedRequest {
  const { conversation: offered, unsaid } = offerTools(asked, 'messages');
  const { conversation: named, said } = withLegalNames(offered, TOOL_NAMES, 'messages');
  const { conversation, cutAt } = withTakenStops(named, Number.POSITIVE_INFINITY, isVisible);
  const foreign = foreignFields(conversation, 'messages');
  const context = encodeContext(conversation, model);
  for (const name of foreignParts(conversation, 'messages', isReasoningOf('messages')))
    context.dropped.add(name);
  const turns = encodeTurns(context);
  const output = planOutput(context);
  const tools = planTools(context, output.tool);
  const maxTokens = planMaxTokens(context);
  const { thinking, effort } = planThinking(context, {
    maxTokens,
    toolIsForced: tools.isForced,
    thinkingIsLost: turns.lostReasoning,
  });
  const thinks = thinking?.['type'] === 'enabled' || thinking?.['type'] === 'adaptive';
  const system = [...turns.system, ...instructions(output.instruction, tools.instruction)];
  // Neither thinking nor a format goes together with a prefilled answer.
  const takesPrefill = context.traits.prefill && !thinks && !output.format;
  for (const name of [...unsaid, ...foreign]) context.dropped.add(name);
  const { metadata, output_config: config, ...extra } = ownFields(conversation.extra);
  const parameters = encodeParameters(context, thinks);
  const outputConfig = {
    ...(isObject(config) ? config : {}),
    ...(effort ? { effort } : {}),
    ...(output.format ? { format: output.format } : {}),
  };
  const body: JsonObject = {
    model,
    max_tokens: maxTokens,
    ...(tools.tools.length > 0 ? { tools: tools.tools } : {}),
    ...(tools.choice ? { tool_choice: tools.choice } : {}),
    ...(system.length > 0 ? { system } : {}),
    messages: turns.encode(takesPrefill),
    ...(thinking ? { thinking } : {}),
    ...(Object.keys(outputConfig).length > 0 ? { output_config: outputConfig } : {}),
    ...parameters,
    ...mergeMetadata(metadata, parameters['metadata']),
    stream: conversation.stream,
    ...extra,
  };
  return {
    ...{ body, dropped: [...context.dropped] },
    ...(said ? { toolNames: said } : {}),
    ...(cutAt ? { cutAt } : {}),
  };
}

function instructions(...sentences: (string | undefined)[]): JsonObject[] {
  return sentences.flatMap((text) => (text === undefined ? [] : [{ type: 'text', text }]));
}

function mergeMetadata(own: JsonObject[string], written: JsonObject[string]): JsonObject {
  if (!isObject(own)) return {};
  return { metadata: { ...own, ...(isObject(written) ? written : {}) } };
}
