/** What frames a conversation, and prompts about tools that vendors add of their own. */
const FRAME_TOKENS = 700;

/** As text it would be more than models read: most of such a body is media, of which bytes say little. */
const MOST_TEXT_BYTES = 8 * 1024 * 1024;
const MEDIA_BYTES_PER_TOKEN = 2;

/**
 * How many tokens the input of a request comes to at most, by the bytes of its body: for reservations, on the way of a call. A token of
 * today's vocabularies stands for a byte at least. Ordinary text has three to five bytes a token, so that where it matters what a
 * call comes to is to be counted. Small media, and what is only named, can come to more.
 */
export function boundTokens(bytes: number): number {
  const dense = bytes > MOST_TEXT_BYTES ? Math.ceil(bytes / MEDIA_BYTES_PER_TOKEN) : bytes;
  return dense + FRAME_TOKENS;
}
