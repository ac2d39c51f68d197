import type { Conversation, ResponseFormat } from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { changedTo } from '../caller-words.ts';
import { SAMPLING_PARAMETERS } from '../chat/model-traits.ts';
import { dropReasoning, effortOf, nameUnsaidThinking, reasons } from '../chat/reasoning-request.ts';
import { toolNameRule } from '../chat/tool-names.ts';
import type { EncodedRequest } from '../dialect.ts';
import { shortenEndUser } from '../end-user.ts';
import { foreignFields, openAiModeration } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { withLegalNames } from '../legal-names.ts';
import { withClientFunctions } from '../messages/client-tools.ts';
import type { ModelNames } from '../model-names.ts';
import { offerTools } from '../offered-tools.ts';
import { parameterName, planParameters, type WrittenParameter } from '../parameters.ts';
import { withReadableParts } from '../readable-parts.ts';
import { wishToSee } from '../shown-reasoning.ts';
import { withTakenStops } from '../stops/taken-stops.ts';
import { askedOfOpenAi } from '../tiers.ts';
import { INCLUDE_LOGPROBS } from './decode-request.ts';
import { encodeInput, isWritten } from './encode-items.ts';
import { ownFields, ownObject } from './extra.ts';
import { ResponsesTarget } from './target.ts';
import { encodeToolChoice, encodeTools } from './tools.ts';

const TOOL_NAMES = toolNameRule(false);

const INCLUDE_REASONING = 'reasoning.encrypted_content';

/**
 * Writes the request of a conversation of any dialect for `POST /v1/responses` of a provider. Callers of other
 * dialects send their whole history with each call: nothing is left with the provider for them, and they get the
 * encrypted reasoning to send back.
 *
 * @throws GatewayError `invalid_request` where something can neither be said nor be left out.
 */
export function encodeRequest(
  asked: Conversation,
  model: string,
  names: ModelNames = 'vendor',
): EncodedRequest {
  const { conversation: offered, unsaid } = offerTools(
    withClientFunctions(withReadableParts(asked, 'responses')),
    'responses',
  );
  const { conversation: named, said } = withLegalNames(offered, TOOL_NAMES, 'responses');
  const { conversation, cutAt } = withTakenStops(named, 0);
  const foreign = foreignFields(conversation, 'responses');
  const target = new ResponsesTarget(conversation, model, names);
  for (const name of foreignParts(conversation, 'responses', isWritten)) target.drop(name);
  for (const name of [...unsaid, ...foreign]) target.drop(name);
  const reasoning = encodeReasoning(target);
  const parameters = encodeParameters(target, reasoning);
  const { text, ...own } = ownFields(conversation.extra);
  const textConfig = encodeText(target, text);
  const body: JsonObject = {
    model,
    ...encodeInput(target),
    ...(conversation.stream ? { stream: true } : {}),
    ...encodeToolFields(target),
    ...parameters,
    ...(reasoning ? { reasoning } : {}),
    ...(Object.keys(textConfig).length > 0 ? { text: textConfig } : {}),
    ...(target.sameDialect ? {} : foreignDefaults(target)),
    ...openAiModeration(conversation),
    ...own,
  };
  return { body, dropped: target.dropped, ...(said ? { toolNames: said } : {}), ...(cutAt ? { cutAt } : {}) };
}

/** What this API does unless it is told, and other dialects do not. */
function foreignDefaults({ conversation, traits }: ResponsesTarget): JsonObject {
  const include: JsonValue[] = [];
  // Models that do not reason refuse it.
  if (traits.reasoning === 'yes') include.push(INCLUDE_REASONING);
  if (conversation.parameters.logprobs) include.push(INCLUDE_LOGPROBS);
  return { store: false, ...(include.length > 0 ? { include } : {}) };
}

function encodeToolFields(target: ResponsesTarget): JsonObject {
  const { toolChoice, parallelToolCalls } = target.conversation;
  const tools = encodeTools(target);
  const fields: JsonObject = tools.length > 0 ? { tools } : {};
  // A choice among no tools is refused; a client of this dialect hears so from the provider.
  if (tools.length === 0 && !target.sameDialect) return fields;
  const choice = toolChoice && encodeToolChoice(toolChoice, target);
  if (choice !== undefined) fields['tool_choice'] = choice;
  if (parallelToolCalls !== undefined) fields['parallel_tool_calls'] = parallelToolCalls;
  return fields;
}

/** Those that stand at the top level; `text.verbosity` and `include` are written elsewhere. */
function encodeParameters(target: ResponsesTarget, reasoning: JsonObject | undefined): JsonObject {
  const { conversation, sameDialect } = target;
  const { written, dropped } = planParameters(conversation, 'responses');
  for (const name of dropped) target.drop(name);
  const refuses = refusedParameters(target, reasoning);
  const fields = written.flatMap((parameter): [string, JsonValue][] => {
    const { key, path } = parameter;
    if (key === 'verbosity' || key === 'logprobs') return [];
    if (refuses(parameter)) {
      target.drop(parameterName(conversation, key));
      return [];
    }
    const said = sameDialect ? conversation.spelling?.[key] : undefined;
    const written = parameterValue(parameter, target);
    if (written !== undefined) return [[said ?? path, written]];
    target.drop(parameterName(conversation, key));
    return [];
  });
  return Object.fromEntries(fields);
}

/** Less is "integer below minimum value. Expected a value >= 16" (open-webui/open-webui#13563); other dialects have no least. */
const LEAST_OUTPUT_TOKENS = 16;

/** None at all is nothing that any dialect takes. */
function isBelowLeast(limit: number): boolean {
  return limit >= 1 && limit < LEAST_OUTPUT_TOKENS;
}

/** `undefined`: this dialect has no such value. */
function parameterValue({ key, value }: WrittenParameter, target: ResponsesTarget): JsonValue | undefined {
  const { conversation, sameDialect } = target;
  if (key === 'maxOutputTokens' && !sameDialect && isBelowLeast(Number(value))) {
    target.drop(changedTo(parameterName(conversation, key), LEAST_OUTPUT_TOKENS));
    return LEAST_OUTPUT_TOKENS;
  }
  if (key === 'serviceTier') return askedOfOpenAi(value as JsonValue, conversation.dialect);
  return key === 'endUser' && !sameDialect ? shortenEndUser(String(value)) : (value as JsonValue);
}

/** Which parameters the model would answer with an error. */
function refusedParameters(
  { traits }: ResponsesTarget,
  reasoning: JsonObject | undefined,
): (parameter: WrittenParameter) => boolean {
  const refusesSampling =
    traits.sampling === 'never' ||
    (traits.sampling === 'without_reasoning' && reasons(reasoning?.['effort'], traits));
  return ({ key }) => refusesSampling && SAMPLING_PARAMETERS.has(key);
}

function encodeReasoning(target: ResponsesTarget): JsonObject | undefined {
  const request = target.conversation.reasoning;
  if (!request) return undefined;
  const effort = effortOf(request, target);
  if (target.sameDialect) {
    return { ...(effort === undefined ? {} : { effort }), ...ownFields(request.extra) };
  }
  const fields: JsonObject = {
    ...(effort === undefined ? {} : { effort }),
    ...(wishToSee(target.conversation) ? { summary: 'auto' } : {}),
  };
  nameUnsaidThinking(target, effort);
  if (Object.keys(fields).length === 0) return undefined;
  if (target.traits.reasoning !== 'no') return fields;
  dropReasoning(target);
  return undefined;
}

function encodeText({ conversation }: ResponsesTarget, own: JsonValue | undefined): JsonObject {
  const { responseFormat, parameters, extra } = conversation;
  const config: JsonObject = {};
  if (responseFormat) config['format'] = encodeFormat(responseFormat);
  if (parameters.verbosity !== undefined) config['verbosity'] = parameters.verbosity;
  return own === undefined ? config : { ...config, ...ownObject(extra, 'text') };
}

function encodeFormat(format: ResponseFormat): JsonObject {
  if (format.type !== 'json_schema') return { type: format.type, ...ownFields(format.extra) };
  const { type, name, description, schema, strict, extra } = format;
  const written: JsonObject = { type, name };
  if (description !== undefined) written['description'] = description;
  written['schema'] = schema;
  if (strict !== undefined) written['strict'] = strict;
  return { ...written, ...ownFields(extra) };
}
