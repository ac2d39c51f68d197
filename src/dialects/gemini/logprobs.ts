import { isObject, type JsonObject } from '../../conversation/json.ts';
import { defined, listOf, messageIn, messagesIn, numberIn, textIn } from './proto.ts';

/**
 * `logprobsResult` in OpenAI's form (`LogprobsResult` of the Gemini API reference). Gemini's token ids have no place
 * there; they ride along as `token_id`.
 */
function decodeLogprobs(result: JsonObject): JsonObject {
  const top = messagesIn(result, 'topCandidates');
  const content = messagesIn(result, 'chosenCandidates').map((chosen, index) => ({
    ...decodeToken(chosen),
    top_logprobs: messagesIn(top[index] ?? {}, 'candidates').map(decodeToken),
  }));
  return { content, refusal: null };
}

function decodeToken(candidate: JsonObject): JsonObject {
  const token = textIn(candidate, 'token') ?? '';
  return defined({
    token,
    logprob: numberIn(candidate, 'logProbability') ?? 0,
    bytes: [...Buffer.from(token)],
    token_id: numberIn(candidate, 'tokenId'),
  });
}

/** The inverse; `undefined` where there are no tokens. */
export function encodeLogprobs(logprobs: JsonObject): JsonObject | undefined {
  const entries = listOf(logprobs['content']).filter(isObject);
  if (entries.length === 0) return undefined;
  const tops = entries.map((entry) => listOf(entry['top_logprobs']).filter(isObject).map(encodeToken));
  return defined({
    chosenCandidates: entries.map(encodeToken),
    topCandidates: tops.some((top) => top.length > 0)
      ? tops.map((candidates) => ({ candidates }))
      : undefined,
  });
}

function encodeToken(entry: JsonObject): JsonObject {
  return defined({
    token: textIn(entry, 'token'),
    tokenId: numberIn(entry, 'token_id'),
    logProbability: numberIn(entry, 'logprob'),
  });
}

/** `logprobsResult` of a candidate, where it has one. */
export function logprobsIn(candidate: JsonObject): JsonObject | undefined {
  const result = messageIn(candidate, 'logprobsResult');
  return result && decodeLogprobs(result);
}
