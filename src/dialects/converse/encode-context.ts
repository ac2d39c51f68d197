import type { CacheHint, Conversation } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord } from '../caller-words.ts';
import type { EncodeContext as MessagesContext } from '../messages/encode-context.ts';
import { modelTraits } from '../messages/model-traits.ts';
import { cachePoint } from './fields.ts';
import { type CachePlace, type ConverseTraits, converseTraits } from './model-traits.ts';

/** What every part of the request encoder needs to know. */
export interface EncodeContext {
  readonly conversation: Conversation;
  readonly traits: ConverseTraits;
  /**
   * The same call as the encoder of `messages` sees it. Claude's rules of thinking, sampling and output formats are the
   * same behind Converse, and so is the code that keeps them.
   */
  readonly messages: MessagesContext;
  /** Collects what could not be expressed, in the caller's words. */
  readonly dropped: Set<string>;
}

export function encodeContext(conversation: Conversation, model: string): EncodeContext {
  const traits = converseTraits(model);
  const claude = modelTraits(model);
  const dropped = new Set<string>();
  const messages: MessagesContext = {
    conversation,
    traits: {
      ...claude,
      structuredOutputs: traits.structuredOutputs,
      forcedToolUse: claude.forcedToolUse && traits.forcedChoices.length > 0,
    },
    isNative: conversation.dialect === 'messages',
    dropped,
  };
  return { conversation, traits, messages, dropped };
}

/** The element that stands behind something with a cache hint; none where the model takes none there. */
export function encodeCachePoint(
  { conversation, traits, dropped }: EncodeContext,
  hint: CacheHint | undefined,
  place: CachePlace,
  path?: string,
): JsonObject[] {
  if (!hint) return [];
  const isTaken = traits.cachePoints.includes(place);
  if (!isTaken || (hint.ttl === '1h' && !traits.cacheTtl)) {
    const word = callerWord(conversation, 'cacheHint');
    dropped.add(path === undefined ? word : `${path}.${word}`);
  }
  return isTaken ? [cachePoint(hint, traits.cacheTtl)] : [];
}
