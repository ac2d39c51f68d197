import type { ImageSize } from './image-size.ts';

/**
 * What an image costs, by its size in pixels:
 * - `tiles`, OpenAI's GPT-4o and its kin: scaled to fit 2048 × 2048, then down to 768 on the shorter side; `perTile` for
 *   each square of 512 and `base` once; `detail: "low"` is `base` (OpenAI, "Images and vision", "Calculating costs").
 * - `patches`, OpenAI's smaller models since GPT-4.1: squares of 32, at most 1536 of them, times `factor` (same page).
 * - `pixels`, Anthropic: width × height / 750, scaled down to at most 1568 on the longer side and about 1600 tokens
 *   (Anthropic, "Vision", "Calculate image costs").
 * - `gemini`: 258 up to 384 × 384, else 258 for each tile of 768 (Gemini API, "Understand and count tokens").
 */
export type ImageRule =
  | { kind: 'tiles'; base: number; perTile: number }
  | { kind: 'patches'; factor: number }
  | { kind: 'pixels' }
  | { kind: 'gemini' };

const MAX_PATCHES = 1536;
const ANTHROPIC_LONGEST_SIDE = 1568;
const ANTHROPIC_MAX_TOKENS = 1600;
const GEMINI_TILE_TOKENS = 258;
/** Gemini scales images that are larger than 3072 on a side down: no more than 4 × 4 tiles. */
const GEMINI_LONGEST_SIDE = 3072;

/** Tokens of one image. Where its size is not known: the most that the rule can come to. */
export function imageTokens(
  rule: ImageRule,
  size: ImageSize | undefined,
  detail: string | undefined,
): number {
  switch (rule.kind) {
    case 'tiles':
      if (detail === 'low') return rule.base;
      return rule.base + rule.perTile * (size ? openAiTiles(size) : 8);
    case 'patches':
      return Math.ceil(rule.factor * (size ? openAiPatches(size) : MAX_PATCHES));
    case 'pixels':
      return size ? anthropicTokens(size) : ANTHROPIC_MAX_TOKENS;
    case 'gemini':
      return GEMINI_TILE_TOKENS * (size ? geminiTiles(size) : 16);
  }
}

function openAiTiles(size: ImageSize): number {
  const fitted = shrink(size, 2048 / Math.max(size.width, size.height));
  const { width, height } = shrink(fitted, 768 / Math.min(fitted.width, fitted.height));
  return squares(Math.round(width), 512) * squares(Math.round(height), 512);
}

function openAiPatches({ width, height }: ImageSize): number {
  const patches = squares(width, 32) * squares(height, 32);
  if (patches <= MAX_PATCHES) return patches;
  const shrunk = Math.sqrt((32 ** 2 * MAX_PATCHES) / (width * height));
  // The side that does not come out in whole patches decides how much further it is shrunk.
  const fit = Math.min(wholePart((width * shrunk) / 32), wholePart((height * shrunk) / 32));
  const scale = shrunk * fit;
  return Math.min(MAX_PATCHES, squares(width * scale, 32) * squares(height * scale, 32));
}

/** By how much a length is shrunk to come out in whole patches, at least one. */
function wholePart(patches: number): number {
  return Math.max(1, Math.floor(patches)) / patches;
}

function anthropicTokens(size: ImageSize): number {
  const { width, height } = shrink(size, ANTHROPIC_LONGEST_SIDE / Math.max(size.width, size.height));
  return Math.min(ANTHROPIC_MAX_TOKENS, Math.ceil((width * height) / 750));
}

function geminiTiles(size: ImageSize): number {
  if (size.width <= 384 && size.height <= 384) return 1;
  const { width, height } = shrink(size, GEMINI_LONGEST_SIDE / Math.max(size.width, size.height));
  return squares(width, 768) * squares(height, 768);
}

function shrink({ width, height }: ImageSize, scale: number): ImageSize {
  const by = Math.min(1, scale);
  return { width: width * by, height: height * by };
}

/** How many squares cover a length. Lengths were scaled: a millionth of a pixel is none. */
function squares(length: number, side: number): number {
  return Math.max(1, Math.ceil(length / side - 1e-6));
}
