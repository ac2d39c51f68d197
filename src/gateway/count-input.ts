import { isObject, type JsonObject } from '../conversation/json.ts';
import { holdsAllKeys } from '../dialects/doubled-keys.ts';
import type { EmbeddingDialect } from '../dialects/embeddings.ts';
import { EMBEDDING_DIALECTS } from '../dialects/registry.ts';
import { tellingBytes } from '../tokens/body-bytes.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import type { Call } from './call.ts';
import type { Door } from './door.ts';

/** What of a call says its input. */
interface CountedCall extends Pick<Call, 'body' | 'model'> {
  door: Pick<Door, 'dialect' | 'operation' | 'embeddings'>;
}

/**
 * Counts the input of a call that generates or embeds as `model` would.
 *
 * @throws GatewayError `invalid_request` where it is not in the caller's dialect, `overloaded` where too much waits.
 */
export async function countInput(
  tokens: Pick<TokenCounter, 'countConversation' | 'countTexts'>,
  { door, body, model: name }: CountedCall,
  model: string,
): Promise<number> {
  const { dialect, operation, embeddings } = door;
  if (operation === 'embed') {
    const inputs = readInputs(embeddings ?? EMBEDDING_DIALECTS[dialect.name], parseObject(body));
    return countEach(tokens, inputs, model);
  }
  const conversation = dialect.decodeRequest(parseObject(body), name === undefined ? {} : { model: name });
  return tokens.countConversation(conversation, model);
}

/**
 * The same for a reservation: no less than it comes to, for what of the body was not understood counts as a token a byte.
 *
 * @throws also where parsers may take different things from the body
 */
export async function boundInput(
  tokens: Pick<TokenCounter, 'boundConversation' | 'countTexts'>,
  { door, body, model: name }: CountedCall,
  model: string,
): Promise<number> {
  const { dialect, operation, embeddings } = door;
  const parsed = parseObject(body);
  if (!holdsAllKeys(body, parsed)) throw new Error('a key stands twice in one object');
  const { model: _, ...said } = parsed;
  if (operation !== 'embed') {
    const conversation = dialect.decodeRequest(parsed, name === undefined ? {} : { model: name });
    return tokens.boundConversation(conversation, said, model);
  }
  const inputs = readInputs(embeddings ?? EMBEDDING_DIALECTS[dialect.name], parsed);
  const rest = inputs.reduce<number>((sum, input) => sum - tellingBytes(input), tellingBytes(said));
  return (await countEach(tokens, inputs, model)) + Math.max(0, rest);
}

function readInputs(dialect: EmbeddingDialect | undefined, body: JsonObject): (string | number[])[] {
  return dialect?.decodeRequest(body).request.inputs ?? [];
}

/** Texts are counted; those that came as token ids are counted already. */
async function countEach(
  tokens: Pick<TokenCounter, 'countTexts'>,
  inputs: (string | number[])[],
  model: string,
): Promise<number> {
  const texts = inputs.filter((input) => typeof input === 'string');
  const ids = inputs.flatMap((input) => (typeof input === 'string' ? [] : input));
  return ids.length + (await tokens.countTexts(texts, model));
}

export function parseObject(body: Buffer): JsonObject {
  const parsed: unknown = JSON.parse(body.toString('utf8'));
  if (!isObject(parsed)) throw new Error('the body is no JSON object');
  return parsed;
}
