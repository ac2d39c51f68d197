import type { Conversation, ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { changedTo } from '../caller-words.ts';
import type { EncodedRequest } from '../dialect.ts';
import { foreignFields, geminiModalities } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { offerTools } from '../offered-tools.ts';
import { parameterName, planParameters, tooManyStops } from '../parameters.ts';
import { withReadableParts } from '../readable-parts.ts';
import { isForeignThought } from './carried-signatures.ts';
import { encodeContents } from './contents-encode.ts';
import { type ModelTraits, modelTraits } from './models.ts';
import { planOutput } from './output-format.ts';
import { defined, overlay, ownFields } from './proto.ts';
import { encodeThinking } from './thinking.ts';
import { encodeTools } from './tools.ts';

/**
 * A conversation as the body of `models/MODEL:generateContent` or `:streamGenerateContent`. The model and whether
 * to stream are in the URL; `model` decides here what may be said.
 *
 * @throws GatewayError `invalid_request`, in the caller's words, for what would change the answer if it were left out.
 */
export function encodeRequest(asked: Conversation, model: string): EncodedRequest {
  const { conversation, unsaid } = offerTools(withReadableParts(asked, 'gemini'), 'gemini');
  const foreign = foreignFields(conversation, 'gemini');
  const traits = modelTraits(model);
  const output = planOutput(conversation, traits);
  const { contents, systemInstruction, dropped } = encodeContents(conversation, traits, output.instruction);
  const tools = encodeTools(conversation, traits, output.tool);
  const generation = encodeGenerationConfig(conversation, traits, output.config);
  const { functionCallingConfig } = tools;
  const body = defined({
    contents,
    systemInstruction,
    tools: tools.tools,
    toolConfig: functionCallingConfig && { functionCallingConfig },
    generationConfig: generation.config,
  });
  return {
    body: mergeOwnFields(body, ownFields(conversation.extra)),
    dropped: [
      ...new Set([
        ...foreignParts(conversation, 'gemini', (part) => isWrittenReasoning(conversation, part)),
        ...dropped,
        ...tools.dropped,
        ...output.dropped,
        ...unsaid,
        ...generation.dropped,
        ...foreign,
      ]),
    ],
  };
}

/** Lays what only this dialect knows over the body; `toolConfig` holds a message of its own. */
function mergeOwnFields(body: JsonObject, own: JsonObject): JsonObject {
  const merged = overlay(body, own);
  const calling = isObject(body['toolConfig']) ? body['toolConfig']['functionCallingConfig'] : undefined;
  const ownCalling = isObject(own['toolConfig']) ? own['toolConfig']['functionCallingConfig'] : undefined;
  if (!isObject(calling) || !isObject(ownCalling) || !isObject(merged['toolConfig'])) return merged;
  const functionCallingConfig = { ...calling, ...ownCalling };
  return { ...merged, toolConfig: { ...merged['toolConfig'], functionCallingConfig } };
}

/** What `encodePart` writes: a caller of this dialect may send thoughts back without their signature. */
function isWrittenReasoning({ dialect }: Conversation, part: ReasoningPart): boolean {
  return dialect === 'gemini' ? !isForeignThought(part) : part.signature?.dialect === 'gemini';
}

/** Source: Gemini API reference, `GenerationConfig.stopSequences`. */
const MOST_STOPS = 5;

/** No model takes more. Source: Gemini API docs, "Gemini models" (output token limit). */
const MOST_OUTPUT_TOKENS = 65_536;

function encodeGenerationConfig(
  conversation: Conversation,
  traits: ModelTraits,
  format: JsonObject | undefined,
): { config: JsonObject | undefined; dropped: string[] } {
  const { written, dropped } = planParameters(conversation, 'gemini');
  const config = new Map<string, JsonValue | undefined>();
  for (const { key, path, value } of written) {
    if (!traits.penalties && (key === 'frequencyPenalty' || key === 'presencePenalty')) {
      dropped.push(parameterName(conversation, key));
      continue;
    }
    if (
      key === 'stop' &&
      Array.isArray(value) &&
      value.length > MOST_STOPS &&
      conversation.dialect !== 'gemini'
    )
      throw tooManyStops(conversation, MOST_STOPS);
    if (
      key === 'maxOutputTokens' &&
      Number(value) > MOST_OUTPUT_TOKENS &&
      conversation.dialect !== 'gemini'
    ) {
      dropped.push(changedTo(parameterName(conversation, key), MOST_OUTPUT_TOKENS));
      config.set('maxOutputTokens', MOST_OUTPUT_TOKENS);
      continue;
    }
    // Every path of this dialect in the table is a field of generationConfig.
    config.set(path.slice(path.indexOf('.') + 1), value as JsonValue);
  }
  const thinking = encodeThinking(conversation, traits.thinking);
  const all = {
    ...Object.fromEntries(config),
    ...format,
    ...defined({
      responseModalities: geminiModalities(conversation),
      thinkingConfig: thinking.thinkingConfig,
    }),
  };
  return {
    config: Object.keys(all).length > 0 ? all : undefined,
    dropped: [...dropped, ...thinking.dropped],
  };
}
