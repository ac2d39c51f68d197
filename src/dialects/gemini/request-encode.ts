import type { Conversation, ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { EncodedRequest } from '../dialect.ts';
import { foreignFields } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { withLegalNames } from '../legal-names.ts';
import { withClientFunctions } from '../messages/client-tools.ts';
import { offerTools } from '../offered-tools.ts';
import { withReadableParts } from '../readable-parts.ts';
import { withTakenStops } from '../stops/taken-stops.ts';
import { isForeignThought } from './carried-signatures.ts';
import { encodeContents } from './contents-encode.ts';
import { encodeGenerationConfig, MOST_STOPS } from './generation-config.ts';
import { modelTraits } from './models.ts';
import { planOutput } from './output-format.ts';
import { defined, overlay, ownFields } from './proto.ts';
import { TOOL_NAMES } from './tool-names.ts';
import { encodeTools } from './tools.ts';

/**
 * A conversation as the body of `models/MODEL:generateContent` or `:streamGenerateContent`. The model and whether
 * to stream are in the URL; `model` decides here what may be said.
 *
 * @throws GatewayError `invalid_request`, in the caller's words, for what would change the answer if it were left out.
 */
export function encodeRequest(asked: Conversation, model: string): EncodedRequest {
  const { conversation: offered, unsaid } = offerTools(
    withClientFunctions(withReadableParts(asked, 'gemini')),
    'gemini',
  );
  const { conversation: named, said } = withLegalNames(offered, TOOL_NAMES, 'gemini');
  // Nobody of its own callers was ever given more.
  const mostStops = offered.dialect === 'gemini' ? Number.POSITIVE_INFINITY : MOST_STOPS;
  const { conversation, cutAt } = withTakenStops(named, mostStops);
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
    ...(said ? { toolNames: said } : {}),
    ...(cutAt ? { cutAt } : {}),
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
