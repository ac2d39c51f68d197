import type { CacheHint, Conversation } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord } from '../caller-words.ts';
import type { ModelNames } from '../model-names.ts';
import { withTakenStops } from '../stops/taken-stops.ts';
import { encodeCacheHint } from './cache-hints.ts';
import type { FileForm } from './file-parts.ts';
import { COMPATIBLE, type ModelTraits, modelTraits } from './model-traits.ts';
import type { ReasoningField } from './quirks.ts';

export interface TargetOptions {
  /** Where the provider wants its reasoning back, whatever dialect the caller speaks. */
  reasoning?: ReasoningField | undefined;
  /** It demands what was thought back, also by another model: the texts of it, without their proofs. */
  demandsReasoning?: boolean;
  /** It knows no tools that take free text: functions stand for them. */
  emulatesCustomTools?: boolean;
  /** It knows no choice among some of the tools: only these are offered. */
  narrowsTools?: boolean;
  /** It takes files in another form than OpenAI's, or none (`file-parts.ts`). */
  files?: FileForm | undefined;
  /** It reads images that are in the request alone. */
  images?: 'inline' | undefined;
  /** How many stop sequences the server takes; what its model's name says of that holds as well. */
  mostStops?: number | undefined;
  /** Its answers hold what the model thinks. Where nothing is said, those of OpenAI's models do not. */
  showsReasoning?: boolean;
}

/** The request being written: for which model, and what of the conversation it could not say. */
export class Target {
  readonly conversation: Conversation;
  readonly traits: ModelTraits;
  /** What is asked is OpenAI's own API, or Azure's, and not one of their kin. */
  readonly isOpenAi: boolean;
  readonly reasoning: ReasoningField;
  readonly demandsReasoning: boolean;
  readonly emulatesCustomTools: boolean;
  readonly narrowsTools: boolean;
  readonly showsReasoning: boolean;
  readonly files: FileForm | undefined;
  readonly images: 'inline' | undefined;
  /** Stop sequences that the model does not take. */
  readonly cutAt: readonly string[] | undefined;
  readonly #dropped = new Set<string>();

  constructor(
    conversation: Conversation,
    model: string,
    names: ModelNames,
    {
      reasoning = 'none',
      demandsReasoning = false,
      emulatesCustomTools = false,
      narrowsTools = false,
      showsReasoning,
      files,
      images,
      mostStops = Number.POSITIVE_INFINITY,
    }: TargetOptions = {},
  ) {
    this.reasoning = reasoning;
    this.demandsReasoning = demandsReasoning;
    this.emulatesCustomTools = emulatesCustomTools;
    this.narrowsTools = narrowsTools;
    this.files = files;
    this.images = images;
    // A server that may be anyone's gets what callers of its dialect say, as where it passes through.
    const isPassedOn = names === 'anyone' && conversation.dialect === 'chat';
    this.traits = isPassedOn ? COMPATIBLE : modelTraits(model, names);
    const taken = withTakenStops(conversation, Math.min(this.traits.mostStops, mostStops));
    this.conversation = taken.conversation;
    this.cutAt = taken.cutAt;
    this.isOpenAi = names === 'deployment' || !this.traits.openParameters;
    this.showsReasoning = showsReasoning ?? this.traits.reasoning === 'unknown';
  }

  /** The provider wants its readable reasoning back. */
  get replaysReasoning(): boolean {
    return this.reasoning !== 'none';
  }

  /** Whether the caller speaks this dialect too, so that what it said can be said in its own words. */
  get sameDialect(): boolean {
    return this.conversation.dialect === 'chat';
  }

  /** Notes, in the caller's words, what is left out. */
  drop(name: string): void {
    this.#dropped.add(name);
  }

  get dropped(): string[] {
    return [...this.#dropped];
  }

  /** The fields that say a cache hint, where the model knows them or the caller wrote them itself. */
  cacheControl(hint: CacheHint | undefined, place: string | undefined): JsonObject {
    if (!hint) return {};
    if (this.sameDialect || this.traits.cacheControl) return encodeCacheHint(hint);
    const word = callerWord(this.conversation, 'cacheHint');
    this.drop(place === undefined ? word : `${place}.${word}`);
    return {};
  }
}
