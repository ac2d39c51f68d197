import type { Conversation, Part } from '../conversation/conversation.ts';
import { partPaths, resultPartPath } from './caller-words.ts';

const PUBLIC_SCHEME = /^(?:https?|data):/i;
const GOOGLE_FILES = /^https?:\/\/[^/?#]*(?:generativelanguage|aiplatform)\.googleapis\.com/i;

/**
 * Whether an address leads to what only the account of a provider may read: its files and buckets, not what is public.
 *
 * Sources: Gemini API reference (`FileData`), Vertex AI ("gs://"), Bedrock (`s3Location`), Kimi API ("ms://").
 */
export function isHeldAddress(address: string): boolean {
  return !PUBLIC_SCHEME.test(address) || GOOGLE_FILES.test(address);
}

/** Readers of addresses pass over these: some in front, some anywhere. */
const PASSED_OVER = /[\s\p{C}]+/gu;
const FILE_SCHEME = /^ms:/i;
const FILE_ADDRESS = /^ms:\/\/([\w.-]+)$/i;

/**
 * The id of the file that an address of Kimi's is of; `undefined` for every other address. Empty where it is written otherwise than
 * Kimi has it: what it would be read as is not known.
 */
export function fileOfAddress(address: string): string | undefined {
  if (!FILE_SCHEME.test(address.replace(PASSED_OVER, ''))) return undefined;
  const [, id = ''] = FILE_ADDRESS.exec(address) ?? [];
  return id;
}

/**
 * The first such address that a conversation names, and where, in the caller's words.
 *
 * @param isKnown those that need not be found
 */
export function findHeldAddress(
  conversation: Conversation,
  isKnown: (address: string) => boolean,
): { id: string; path: string } | undefined {
  for (const [index, { parts }] of conversation.messages.entries()) {
    for (const [at, part] of parts.entries()) {
      // Only where something is found does it matter where.
      const path = () => partPaths(conversation, index)[at] ?? '';
      const id = heldAddressOf(part, isKnown);
      if (id !== undefined) return { id, path: path() };
      if (part.type !== 'tool_result') continue;
      for (const [inner, content] of part.parts.entries()) {
        const inResult = heldAddressOf(content, isKnown);
        if (inResult !== undefined) {
          return { id: inResult, path: resultPartPath(conversation, path(), inner, content) };
        }
      }
    }
  }
  return undefined;
}

function heldAddressOf(part: Part, isKnown: (address: string) => boolean): string | undefined {
  if (!('source' in part) || part.source.kind !== 'url') return undefined;
  const { url } = part.source;
  return isHeldAddress(url) && !isKnown(url) ? url : undefined;
}
