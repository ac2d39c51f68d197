import type { Conversation } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { chat } from '../chat/index.ts';
import type { RequestAddress } from '../dialect.ts';
import { placed } from '../places.ts';
import { expectKind, jsonKind, omitKeys, optionalField, wrongKind } from '../read-json.ts';

/** What text completions alone have, and a conversation cannot say. Left out where it says nothing. */
const OWN_FIELDS = new Set(['prompt', 'suffix', 'echo', 'best_of', 'logprobs']);

/**
 * A request of `POST /v1/completions` as a conversation whose one message is the prompt. The other parameters are
 * those of chat completions.
 *
 * Source: OpenAI API reference (create completion).
 *
 * @throws GatewayError `invalid_request`
 */
export function decodeRequest(body: JsonObject, address: RequestAddress): Conversation {
  const prompt = readPrompt(body['prompt']);
  refuseUnless((optionalField(body, 'suffix', 'string', '') ?? '') === '', 'suffix');
  refuseUnless(optionalField(body, 'echo', 'boolean', '') !== true, 'echo');
  refuseUnless((optionalField(body, 'best_of', 'number', '') ?? 1) <= 1, 'best_of');
  refuseUnless(optionalField(body, 'logprobs', 'number', '') === undefined, 'logprobs');
  const messages = [{ role: 'user', content: prompt }];
  const conversation = chat.decodeRequest({ ...omitKeys(body, OWN_FIELDS), messages }, address);
  return placed(conversation, 'prompt');
}

function readPrompt(prompt: JsonValue | undefined): string {
  if (typeof prompt === 'string') return prompt;
  if (!Array.isArray(prompt)) throw wrongKind(prompt, 'a string', 'prompt');
  if (prompt.some((item) => typeof item === 'number' || jsonKind(item) === 'array')) {
    throw invalidRequest(
      "'prompt' is made of token ids, which mean something else to every model. Send text.",
      'prompt',
      'unsupported_input',
    );
  }
  const [only, ...others] = prompt;
  if (others.length > 0) {
    throw invalidRequest(
      "'prompt' holds several prompts. Send a request for each, or 'n' for several answers to one.",
      'prompt',
      'unsupported_input',
    );
  }
  return expectKind(only, 'string', 'prompt[0]');
}

function refuseUnless(isUnused: boolean, name: string): void {
  if (isUnused) return;
  throw invalidRequest(
    `'${name}' cannot be had: text completions are answered by chat models here. Leave it out.`,
    name,
    'unsupported_parameter',
  );
}
