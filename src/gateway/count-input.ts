import { isObject, type JsonObject } from '../conversation/json.ts';
import type { EmbeddingDialect } from '../dialects/embeddings.ts';
import { EMBEDDING_DIALECTS } from '../dialects/registry.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import type { Call } from './call.ts';

/**
 * Counts the input of a call that generates or embeds as `model` would.
 *
 * @throws GatewayError `invalid_request` where it is not in the caller's dialect, `overloaded` where too much waits.
 */
export async function countInput(
  tokens: Pick<TokenCounter, 'countConversation' | 'countTexts'>,
  { door, body, model: name }: Pick<Call, 'door' | 'body' | 'model'>,
  model: string,
): Promise<number> {
  const { dialect, operation, embeddings } = door;
  if (operation === 'embed') {
    return countInputs(tokens, embeddings ?? EMBEDDING_DIALECTS[dialect.name], body, model);
  }
  const conversation = dialect.decodeRequest(parseObject(body), name === undefined ? {} : { model: name });
  return tokens.countConversation(conversation, model);
}

/** Texts are counted; those that came as token ids are counted already. */
async function countInputs(
  tokens: Pick<TokenCounter, 'countTexts'>,
  dialect: EmbeddingDialect | undefined,
  body: Buffer,
  model: string,
): Promise<number> {
  const inputs = dialect?.decodeRequest(parseObject(body)).request.inputs ?? [];
  const texts = inputs.filter((input) => typeof input === 'string');
  const ids = inputs.flatMap((input) => (typeof input === 'string' ? [] : input));
  return ids.length + (await tokens.countTexts(texts, model));
}

export function parseObject(body: Buffer): JsonObject {
  const parsed: unknown = JSON.parse(body.toString('utf8'));
  if (!isObject(parsed)) throw new Error('the body is no JSON object');
  return parsed;
}
