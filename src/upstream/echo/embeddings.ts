import type { EmbeddingRequest, Embeddings } from '../../conversation/embedding.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { NO_USAGE } from '../../conversation/usage.ts';
import { countWords } from './words.ts';

const DEFAULT_DIMENSIONS = 256;
const MAX_DIMENSIONS = 4096;
/** OpenAI's limit on a batch. */
const MAX_INPUTS = 2048;
/** The work is done between two events of the whole process, so it has to be short. */
const MAX_UNITS = 1_000_000;
/** Characters or tokens that are hashed together: texts that share many of these groups are alike. */
const GROUP_SIZE = 3;

/**
 * Unit vectors that are near each other for texts that are spelled alike: each group of three characters adds to
 * a place that its hash gives. The same text always has the same vector.
 *
 * @throws GatewayError `invalid_request` for empty or too much input, or dimensions out of range.
 */
export function embedInputs(request: EmbeddingRequest): Embeddings {
  const { inputs, dimensions = DEFAULT_DIMENSIONS } = request;
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw invalidRequest(`'dimensions' must be between 1 and ${MAX_DIMENSIONS}.`, 'dimensions');
  }
  if (inputs.length > MAX_INPUTS) {
    throw invalidRequest(
      `'input' has more than ${MAX_INPUTS} texts. Send them in several requests.`,
      'input',
    );
  }
  if (inputs.some((input) => input.length === 0)) throw invalidRequest("'input' must not be empty.", 'input');
  if (inputs.reduce((sum, input) => sum + input.length, 0) > MAX_UNITS) {
    throw invalidRequest(
      `'input' is longer than ${MAX_UNITS} characters or tokens. Send less at once.`,
      'input',
    );
  }
  const words = inputs.reduce((sum, input) => sum + countInput(input), 0);
  return {
    model: request.model,
    vectors: inputs.map((input) => embed(unitsOf(input), dimensions)),
    usage: { ...NO_USAGE, input: words },
  };
}

function countInput(input: string | number[]): number {
  return typeof input === 'string' ? countWords(input) : input.length;
}

/** The characters of a text, without regard to case and with a space at its ends; or the tokens as they are. */
function unitsOf(input: string | number[]): number[] {
  if (typeof input !== 'string') return input;
  return Array.from(` ${input.toLowerCase()} `, (character) => character.codePointAt(0) ?? 0);
}

function embed(units: readonly number[], dimensions: number): number[] {
  const sums = new Float64Array(dimensions);
  const groups = Math.max(1, units.length - GROUP_SIZE + 1);
  for (let start = 0; start < groups; start += 1) {
    const hash = hashUnits(units, start, Math.min(start + GROUP_SIZE, units.length));
    const place = (hash >>> 1) % dimensions;
    sums[place] = (sums[place] ?? 0) + (hash & 1 ? 1 : -1);
  }
  const length = Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0));
  // Groups that cancel each other out leave no direction.
  if (length === 0) return Array.from(sums, (_, place) => (place === 0 ? 1 : 0));
  // Exact in 32 bits, so that floats and base64 say the same.
  return Array.from(sums, (sum) => Math.fround(sum / length));
}

/** FNV-1a over 32-bit units, with a final mix so that the low bits depend on all of them. */
function hashUnits(units: readonly number[], start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (units[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
