import type { CacheHint, Conversation } from '../../conversation/conversation.ts';
import { callerWord } from '../caller-words.ts';
import { COMPATIBLE, type ModelTraits, modelTraits } from '../chat/model-traits.ts';
import type { ModelNames } from '../model-names.ts';

/** The request being written: for which model, and what of the conversation it could not say. */
export class ResponsesTarget {
  readonly conversation: Conversation;
  /** The same models as in Chat Completions. */
  readonly traits: ModelTraits;
  /** What is asked is OpenAI's own API, or Azure's, and not one of their kin. */
  readonly isOpenAi: boolean;
  readonly #dropped = new Set<string>();

  constructor(conversation: Conversation, model: string, names: ModelNames) {
    this.conversation = conversation;
    const isPassedOn = names === 'anyone' && conversation.dialect === 'responses';
    this.traits = isPassedOn ? COMPATIBLE : modelTraits(model, names);
    this.isOpenAi = names === 'deployment' || !this.traits.openParameters;
  }

  /** Whether the caller speaks this dialect too, so that what it said can be said in its own words. */
  get sameDialect(): boolean {
    return this.conversation.dialect === 'responses';
  }

  /** Notes, in the caller's words, what is left out. */
  drop(name: string): void {
    this.#dropped.add(name);
  }

  get dropped(): string[] {
    return [...this.#dropped];
  }

  /** OpenAI caches by itself; its own hint is among the fields of the part. */
  dropCacheHint(hint: CacheHint | undefined, place: string | undefined): void {
    const word = callerWord(this.conversation, 'cacheHint');
    if (hint && !this.sameDialect) this.drop(place === undefined ? word : `${place}.${word}`);
  }
}
