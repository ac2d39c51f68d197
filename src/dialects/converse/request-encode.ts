import type { Conversation, Tool } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import type { EncodedRequest } from '../dialect.ts';
import { foreignFields } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { withLegalNames } from '../legal-names.ts';
import { withClientFunctions } from '../messages/client-tools.ts';
import { planMaxTokens } from '../messages/encode-parameters.ts';
import { offerTools } from '../offered-tools.ts';
import { withReadableParts } from '../readable-parts.ts';
import { isVisible, withTakenStops } from '../stops/taken-stops.ts';
import { inConverseWords } from './anthropic-words.ts';
import { clientTool, clientToolNames, withToolFlags } from './client-tools.ts';
import { isTakenReasoning } from './encode-blocks.ts';
import { type EncodeContext, encodeContext } from './encode-context.ts';
import { encodeParameters } from './encode-parameters.ts';
import { planTools, TOOL_NAMES } from './encode-tools.ts';
import { Turns } from './encode-turns.ts';
import { objectOf } from './fields.ts';
import { converseTraits } from './model-traits.ts';
import { planOutput } from './output-format.ts';
import { planReasoning } from './reasoning.ts';

/**
 * Bedrock's own words at the top of a request. Nobody can call in this dialect, so callers of every other one may
 * put them beside their own.
 */
const BEDROCK_FIELDS: ReadonlySet<string> = new Set([
  'guardrailConfig',
  'performanceConfig',
  'additionalModelRequestFields',
  'additionalModelResponseFieldPaths',
  'requestMetadata',
  'promptVariables',
]);

/**
 * The body of a `POST /model/ID/converse` or `/converse-stream`; the model stands in the path alone.
 *
 * Source: Bedrock API reference (`Converse`, `ConverseStream`), the types of `@aws-sdk/client-bedrock-runtime`.
 *
 * @throws GatewayError `invalid_request` where the API would refuse the conversation or answer something else.
 */
export function encodeRequest(asked: Conversation, model: string): EncodedRequest {
  const traits = converseTraits(model);
  const reworded = inConverseWords(asked, traits);
  const isTaken = (tool: Tool) => clientTool(tool, traits) !== undefined;
  const readable = withClientFunctions(withReadableParts(reworded.conversation, 'converse'), isTaken);
  const clients = clientToolNames(readable, traits);
  const { conversation: offered, unsaid } = offerTools(readable, 'converse', false, clients);
  const { conversation: named, said } = withLegalNames(offered, TOOL_NAMES, 'converse');
  const { conversation, cutAt } = withTakenStops(
    named,
    Number.POSITIVE_INFINITY,
    traits.reasoning === 'claude' ? isVisible : undefined,
  );
  const foreign = foreignFields(conversation, 'converse').filter((name) => !BEDROCK_FIELDS.has(name));
  const context = encodeContext(conversation, model);
  for (const name of [...reworded.unsaid, ...unsaid, ...foreign]) context.dropped.add(name);
  for (const name of foreignParts(conversation, 'converse', (part) => isTakenReasoning(context, part)))
    context.dropped.add(name);
  const turns = new Turns(context);
  const output = planOutput(context);
  const tools = planTools(context, turns.calledTools, output.tool);
  const limit = planMaxTokens(context.messages);
  const reasoning = planReasoning(context, {
    maxTokens: limit,
    toolIsForced: tools.isForced,
    thinkingIsLost: turns.lostReasoning,
  });
  const isLimited = conversation.parameters.maxOutputTokens !== undefined || hasBudget(reasoning.fields);
  const system = [...turns.system, ...instructions(output.instruction, tools.instruction)];
  // Neither thinking nor a format goes together with a prefilled answer.
  const { prefill } = context.messages.traits;
  const takesPrefill = context.traits.prefill && prefill && !reasoning.thinks && !output.textFormat;
  const parameters = encodeParameters(context, reasoning.thinks);
  const inferenceConfig = {
    ...(isLimited ? { maxTokens: limit } : {}),
    ...objectOf(parameters['inferenceConfig']),
  };
  const outputConfig = {
    ...(output.textFormat ? { textFormat: output.textFormat } : {}),
    ...(reasoning.effort ? { effort: reasoning.effort } : {}),
  };
  const { additionalModelRequestFields, additionalModelResponseFieldPaths, ...extra } = requestExtra(context);
  const additional = withToolFlags({
    ...objectOf(additionalModelRequestFields),
    ...objectOf(parameters['additionalModelRequestFields']),
    ...reasoning.fields,
    ...tools.fields,
  });
  const paths = additionalModelResponseFieldPaths ?? stopSequencePaths(context);
  const body: JsonObject = {
    ...(tools.toolConfig ? { toolConfig: tools.toolConfig } : {}),
    ...(system.length > 0 ? { system } : {}),
    messages: turns.encode(takesPrefill),
    ...(isEmpty(inferenceConfig) ? {} : { inferenceConfig }),
    ...(isEmpty(additional) ? {} : { additionalModelRequestFields: additional }),
    ...(paths === undefined ? {} : { additionalModelResponseFieldPaths: paths }),
    ...(isEmpty(outputConfig) ? {} : { outputConfig }),
    ...(parameters['serviceTier'] ? { serviceTier: parameters['serviceTier'] } : {}),
    ...extra,
  };
  return {
    ...{ body, dropped: [...context.dropped] },
    ...(said ? { toolNames: said } : {}),
    ...(cutAt ? { cutAt } : {}),
  };
}

/** A budget of thinking must fit below the limit, so there must be one. */
function hasBudget({ thinking }: JsonObject): boolean {
  return objectOf(thinking)['type'] === 'enabled';
}

function instructions(...sentences: (string | undefined)[]): JsonObject[] {
  return sentences.flatMap((text) => (text === undefined ? [] : [{ text }]));
}

/** Which sequence was met is told only where it is asked for, and only by Claude. */
function stopSequencePaths({ conversation, traits }: EncodeContext): string[] | undefined {
  if (traits.reasoning !== 'claude' || !conversation.parameters.stop?.length) return undefined;
  return [conversation.stream ? '/delta/stop_sequence' : '/stop_sequence'];
}

function requestExtra({ conversation }: EncodeContext): JsonObject {
  const { dialect, fields } = conversation.extra ?? { dialect: 'converse', fields: {} };
  if (dialect === 'converse') return fields;
  return Object.fromEntries(Object.entries(fields).filter(([key]) => BEDROCK_FIELDS.has(key)));
}

function isEmpty(value: JsonObject): boolean {
  return Object.keys(value).length === 0;
}
