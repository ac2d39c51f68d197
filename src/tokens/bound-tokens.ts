/** Bytes of JSON request for one token of English or code; other scripts and numbers come to fewer. */
const DENSE_BYTES_PER_TOKEN = 2;

/** A request of a few words: frames of messages, and tool prompts that vendors add of their own. */
const LEAST_TOKENS = 700;

/**
 * How many tokens the input of a request can be expected to stay under, by the bytes of its body: for reservations,
 * on the way of a call. Ordinary text has three to five bytes a token, escaped or non-Latin scripts two to three, and
 * JSON adds what is no text. Not proof against text made to be dense (single emoji, random digits): a vocabulary can
 * need one token a byte, and a reservation of that size would turn honest calls away; the real usage is settled after.
 */
export function boundTokens(bytes: number): number {
  return Math.ceil(bytes / DENSE_BYTES_PER_TOKEN) + LEAST_TOKENS;
}
