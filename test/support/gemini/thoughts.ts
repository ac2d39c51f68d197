import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import type { Signer } from '../signatures.ts';
import { objectsOf } from '../values.ts';
import { invalidArgument } from './errors.ts';
import { geminiFamily } from './models.ts';

/**
 * Values that stand in for a signature where there is none (thought signature guide, FAQ). The field is bytes: REST
 * clients write the words, SDKs their base64.
 */
const SKIP_VALUES: readonly string[] = [
  'skip_thought_signature_validator',
  'context_engineering_is_the_way_to_go',
].flatMap((value) => [value, Buffer.from(value).toString('base64')]);

/** Rules of thought signatures: required where the guide says so, and never another than the one that was given. */
export function checkThoughts(model: string, contents: readonly JsonObject[], signer: Signer): void {
  for (const content of contents) {
    for (const part of objectsOf(content['parts'])) checkSignature(part, signer);
  }
  if (geminiFamily(model).needsSignatures) requireSignatures(contents);
}

/**
 * What a signature of the fake is about. That it must stay with its part is documented ("Don't merge one part with a
 * signature with another part without"); that the API checks it is not: the fake is stricter here, because a
 * translator that swaps signatures is wrong either way.
 */
export function signedContent(part: JsonObject): string {
  const { functionCall: call } = part;
  return isObject(call) ? `call ${call['name']} ${stableJson(call['args'] ?? {})}` : 'text';
}

function checkSignature(part: JsonObject, signer: Signer): void {
  const { thoughtSignature: signature } = part;
  if (typeof signature !== 'string' || SKIP_VALUES.includes(signature)) return;
  if (signer.isValid(signedContent(part), signature)) return;
  // gemini-cli#13467, heyhuynhgiabuu/proxypal#119
  throw invalidArgument('Corrupted thought signature.');
}

/**
 * In the current turn (what comes after the last content that the user wrote), the first call of every step needs its
 * signature; parallel calls after it have none.
 */
function requireSignatures(contents: readonly JsonObject[]): void {
  const start = contents.findLastIndex(
    (content) =>
      content['role'] !== 'model' &&
      objectsOf(content['parts']).some((part) => part['functionResponse'] === undefined),
  );
  for (const [index, content] of contents.entries()) {
    if (index <= start || content['role'] !== 'model') continue;
    const parts = objectsOf(content['parts']);
    const first = parts.find((part) => part['functionCall'] !== undefined);
    if (!first || typeof first['thoughtSignature'] === 'string') continue;
    const name = isObject(first['functionCall']) ? first['functionCall']['name'] : '';
    // Antigravity-Manager#3202
    throw invalidArgument(
      `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${name}\` , position ${index + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`,
    );
  }
}

/** The same text for the same arguments, in whatever order their keys came back. */
function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${stableJson(item)}`).join(',')}}`;
}
