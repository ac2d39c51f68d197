import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { inputTokens, type Usage } from '../../conversation/usage.ts';
import { count, saysCounts } from '../counts.ts';
import { tierWord } from '../tiers.ts';
import { messagesIn, readMessage } from './proto.ts';

/*
 * `usageMetadata` (Gemini API reference, `UsageMetadata`): `promptTokenCount` includes the cached tokens,
 * `candidatesTokenCount` excludes the thoughts, and tokens that server-side tools put into the prompt are counted
 * beside it in `toolUsePromptTokenCount`. In a stream it is on every chunk and cumulative.
 */
const SUMS = [
  'promptTokenCount',
  'candidatesTokenCount',
  'thoughtsTokenCount',
  'cachedContentTokenCount',
  'totalTokenCount',
] as const;

/** What the call used is their sum: the cached tokens are among those of the prompt. */
const COUNTS = ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount'];

export interface DecodedUsage {
  /** Absent where the metadata counts nothing (Vertex sends `{ trafficType }` alone on early chunks), or says what no count can be. */
  usage?: Usage;
  /** What `usage` does not say: details by modality, the service tier, … */
  rest: JsonObject;
}

export function decodeUsage(value: JsonValue | undefined): DecodedUsage {
  if (!isObject(value)) return { rest: {} };
  const metadata = readMessage(value);
  const rest = Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !SUMS.some((sum) => sum === key)),
  );
  if (!saysCounts(COUNTS.map((key) => metadata[key]))) return { rest };

  const prompt = count(metadata['promptTokenCount']);
  const toolUse = count(metadata['toolUsePromptTokenCount']);
  const candidates = count(metadata['candidatesTokenCount']);
  const cacheRead = Math.min(count(metadata['cachedContentTokenCount']), prompt);
  const audio = audioIn(metadata, 'promptTokensDetails') - audioIn(metadata, 'cacheTokensDetails');
  const inputAudio = Math.min(Math.max(audio, 0), prompt - cacheRead);
  const outputAudio = Math.min(audioIn(metadata, 'candidatesTokensDetails'), candidates);
  const usage: Usage = {
    input: prompt + toolUse - cacheRead - inputAudio,
    inputAudio,
    cacheRead,
    cacheWrite: 0,
    cacheWrite1h: 0,
    output: candidates - outputAudio,
    outputAudio,
    reasoning: count(metadata['thoughtsTokenCount']),
  };
  // The first is Gemini's, the other Vertex's.
  const tier = tierWord(metadata['serviceTier']) ?? tierWord(metadata['trafficType']);
  if (tier !== undefined) usage.tier = tier;
  return { usage, rest };
}

/** The metadata of a usage. `rest`: what `decodeUsage` left over, where the usage came from a Gemini answer. */
export function encodeUsage(usage: Usage, rest: JsonObject = {}): JsonObject {
  const candidates = usage.output + usage.outputAudio;
  const prompt = Math.max(inputTokens(usage) - count(rest['toolUsePromptTokenCount']), 0);
  const sums = {
    promptTokenCount: prompt,
    candidatesTokenCount: candidates,
    thoughtsTokenCount: usage.reasoning,
    cachedContentTokenCount: usage.cacheRead,
    totalTokenCount: inputTokens(usage) + candidates + usage.reasoning,
  };
  const stated = Object.entries(sums).filter(([, tokens]) => tokens > 0);
  return { ...Object.fromEntries(stated), ...audioDetails(usage), ...rest };
}

function audioDetails({ inputAudio, outputAudio }: Usage): JsonObject {
  const details = (tokenCount: number): JsonValue => [{ modality: 'AUDIO', tokenCount }];
  return {
    ...(inputAudio > 0 ? { promptTokensDetails: details(inputAudio) } : {}),
    ...(outputAudio > 0 ? { candidatesTokensDetails: details(outputAudio) } : {}),
  };
}

function audioIn(metadata: JsonObject, key: string): number {
  const audio = messagesIn(metadata, key).filter((detail) => detail['modality'] === 'AUDIO');
  return audio.reduce((sum, detail) => sum + count(detail['tokenCount']), 0);
}
