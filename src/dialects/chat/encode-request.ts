import type {
  Conversation,
  Message,
  ReasoningPart,
  ResponseFormat,
} from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import type { EncodedRequest } from '../dialect.ts';
import { shortenEndUser } from '../end-user.ts';
import { foreignFields } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { withLegalNames } from '../legal-names.ts';
import { withClientFunctions } from '../messages/client-tools.ts';
import type { ModelNames } from '../model-names.ts';
import { offerTools } from '../offered-tools.ts';
import { parameterName, planParameters, type WrittenParameter } from '../parameters.ts';
import { withReadableParts } from '../readable-parts.ts';
import { askedOfOpenAi } from '../tiers.ts';
import { encodeMessages } from './encode-messages.ts';
import { ownFields, ownObject, withNested } from './extra.ts';
import { SAMPLING_PARAMETERS } from './model-traits.ts';
import { asksForReasoning, encodeReasoningRequest } from './reasoning-request.ts';
import { isWritten, takesDetails } from './returned-reasoning.ts';
import { Target, type TargetOptions } from './target.ts';
import { toolNameRule } from './tool-names.ts';
import { encodeToolChoice, encodeTools } from './tools.ts';

/**
 * Writes the request of a conversation of any dialect for a chat upstream: OpenAI, or a server of its kin.
 *
 * @throws GatewayError `invalid_request` where something can neither be said nor be left out.
 */
export function encodeRequest(
  asked: Conversation,
  model: string,
  names: ModelNames = 'vendor',
  options?: TargetOptions,
): EncodedRequest {
  const offered = offerTools(
    withClientFunctions(withReadableParts(asked, 'chat')),
    'chat',
    options?.narrowsTools,
  );
  const { unsaid } = offered;
  const { conversation, said } = withLegalNames(
    offered.conversation,
    toolNameRule(options?.emulatesCustomTools === true),
    'chat',
  );
  const foreign = foreignFields(conversation, 'chat');
  const target = new Target(conversation, model, names, options);
  const takesReasoning = (part: ReasoningPart, message: Message) => isWritten(part, message, target);
  const takesSignatures = target.sameDialect && takesDetails(target);
  for (const name of foreignParts(conversation, 'chat', takesReasoning, takesSignatures)) target.drop(name);
  const body: JsonObject = {
    model,
    messages: encodeMessages(target),
    ...encodeStream(conversation),
    ...encodeToolFields(target),
    ...encodeParameters(target),
  };
  if (conversation.responseFormat)
    body['response_format'] = encodeResponseFormat(conversation.responseFormat);
  for (const name of [...unsaid, ...foreign]) target.drop(name);
  const { stream_options: _, ...own } = ownFields(conversation.extra);
  return {
    body: { ...body, ...own },
    dropped: target.dropped,
    ...(said ? { toolNames: said } : {}),
    ...(target.cutAt ? { cutAt: target.cutAt } : {}),
  };
}

/** Usage is always asked for: without it a stream cannot be accounted. */
function encodeStream({ stream, extra }: Conversation): JsonObject {
  if (!stream) return {};
  return { stream: true, stream_options: { ...ownObject(extra, 'stream_options'), include_usage: true } };
}

function encodeToolFields(target: Target): JsonObject {
  const { toolChoice, parallelToolCalls } = target.conversation;
  const tools = encodeTools(target);
  const fields: JsonObject = tools.length > 0 ? { tools } : {};
  // OpenAI refuses both where there are no tools; a chat client that said them hears so from the provider.
  if (tools.length === 0 && !target.sameDialect) return fields;
  const choice = toolChoice && encodeToolChoice(toolChoice, target);
  if (choice !== undefined) fields['tool_choice'] = choice;
  if (parallelToolCalls !== undefined) fields['parallel_tool_calls'] = parallelToolCalls;
  return fields;
}

function encodeParameters(target: Target): JsonObject {
  const { written, dropped } = planParameters(target.conversation, 'chat');
  for (const name of dropped) target.drop(name);
  const reasoning = encodeReasoningRequest(target);
  const refuses = refusedParameters(target, asksForReasoning(reasoning, target.traits));
  const fields = written.flatMap((parameter): [string, JsonValue][] => {
    if (refuses(parameter)) {
      target.drop(parameterName(target.conversation, parameter.key));
      return [];
    }
    const value = parameterValue(parameter, target);
    if (value !== undefined) return [[fieldName(parameter, target), value]];
    target.drop(parameterName(target.conversation, parameter.key));
    return [];
  });
  return { ...Object.fromEntries(fields), ...reasoning };
}

/** `undefined`: this dialect has no such value. */
function parameterValue(
  { key, value }: WrittenParameter,
  { conversation, sameDialect }: Target,
): JsonValue | undefined {
  if (key === 'serviceTier') return askedOfOpenAi(value as JsonValue, conversation.dialect);
  return key === 'endUser' && !sameDialect ? shortenEndUser(String(value)) : (value as JsonValue);
}

/** Which parameters the model would answer with an error. */
function refusedParameters({ traits }: Target, reasons: boolean): (parameter: WrittenParameter) => boolean {
  const refusesSampling = traits.sampling === 'never' || (traits.sampling === 'without_reasoning' && reasons);
  return ({ key }) =>
    (refusesSampling && SAMPLING_PARAMETERS.has(key)) || (key === 'topK' && !traits.openParameters);
}

/** The caller's own word where this dialect has several and the model takes that one. */
function fieldName({ key, path }: WrittenParameter, { conversation, traits, sameDialect }: Target): string {
  const said = sameDialect ? conversation.spelling?.[key] : undefined;
  if (key !== 'maxOutputTokens') return said ?? path;
  const word = said ?? (sameDialect ? path : undefined);
  if (word !== undefined && traits.outputLimit.includes(word)) return word;
  return traits.outputLimit[0] ?? path;
}

function encodeResponseFormat(format: ResponseFormat): JsonObject {
  if (format.type !== 'json_schema') return withNested({ type: format.type }, format.extra, 'json_schema');
  const { type, name, description, schema, strict, extra } = format;
  const json_schema: JsonObject = { name };
  if (description !== undefined) json_schema['description'] = description;
  json_schema['schema'] = schema;
  if (strict !== undefined) json_schema['strict'] = strict;
  return withNested({ type, json_schema }, extra, 'json_schema');
}
