import type { Conversation } from '../../conversation/conversation.ts';
import { type ModelTraits, modelTraits } from './model-traits.ts';

/** What every part of the request encoder needs to know. */
export interface EncodeContext {
  readonly conversation: Conversation;
  readonly traits: ModelTraits;
  /** The caller spoke this dialect: what it wrote is written back as it was where the model takes it. */
  readonly isNative: boolean;
  /** Collects what could not be expressed, in the caller's words. */
  readonly dropped: Set<string>;
}

export function encodeContext(conversation: Conversation, model: string): EncodeContext {
  return {
    conversation,
    traits: modelTraits(model),
    isNative: conversation.dialect === 'messages',
    dropped: new Set(),
  };
}
