import { createHash } from 'node:crypto';

/** Of `user` and `safety_identifier`: OpenAI API reference, maximhq/bifrost#1000. Z.AI and OpenRouter take 128. */
const LONGEST = 64;

/**
 * The caller's name for its user, where another dialect allows longer ones (Anthropic 256 characters, and Claude Code's
 * are 170): in its place a hash, which tells users apart as well.
 */
export function shortenEndUser(id: string): string {
  return id.length <= LONGEST ? id : createHash('sha256').update(id).digest('hex');
}
