import type { CallerDialectName } from '../../src/dialects/dialect.ts';

/** How a client may ask: for the whole answer, or for a stream. */
export const WAYS = ['whole', 'streamed'] as const;
export type Way = (typeof WAYS)[number];

/** A question in words that every SDK has, so that one test body runs through each of the doors. */
export interface Question {
  model: string;
  turns: readonly Turn[];
  system?: string;
  tools?: readonly ToolSpec[];
  choice?: 'auto' | 'none' | 'required' | { name: string };
  /** One call at a time, please. */
  singleCall?: boolean;
  maxTokens?: number;
  stop?: readonly string[];
  /** The answer is JSON of this schema. */
  schema?: Record<string, unknown>;
  /** The model thinks, and shows it. */
  thinks?: boolean;
  signal?: AbortSignal;
}

export type Turn =
  | { user: string; media?: readonly Medium[] }
  /** An answer sent back as a user of the SDK sends it back. */
  | { answer: Told }
  /** What the tools gave, in the order of the calls of an answer. */
  | { results: readonly string[]; of: Told };

export interface Medium {
  mediaType: string;
  base64: string;
}

export interface ToolSpec {
  name: string;
  schema?: Record<string, unknown>;
}

/** What a client sees of an answer: all that must be the same whoever gave it. */
export interface Answer {
  text: string;
  thoughts: string;
  calls: [name: string, args: unknown][];
  finish: 'stop' | 'length' | 'tool' | 'filter' | string;
  tokens: { input: number; cached: number; output: number; reasoning: number };
}

export interface Told {
  answer: Answer;
  ids: (string | undefined)[];
  /** What the SDK's user keeps of the answer for the history. */
  kept: unknown;
  header(name: string): string | null;
}

/** An error as the SDK raised it. */
export interface Failure {
  /** `undefined`: the stream had begun. */
  status: number | undefined;
  message: string;
  /** The dialect's own word for it, where the SDK shows one. */
  word?: string | null | undefined;
  retryAfter?: string | undefined;
}

/** An official SDK, as its users use it. */
export interface DoorClient {
  dialect: CallerDialectName;
  /** Its name, for the titles of tests. */
  sdk: string;
  /** What is to be known of an error; fails where it is not the type that the SDK has for it. */
  readFailure(error: unknown): Failure;
  ask(question: Question, way: Way): Promise<Told>;
  /** The pieces of text of a stream, as they come. */
  stream(question: Question): AsyncIterable<string>;
  /** The finish of an answer that calls tools: not every dialect has a word of its own for it. */
  finishOfCalls: 'tool' | 'stop';
  /** The SDK shows no headers, so that its users are not told what was dropped. */
  hidesHeaders?: boolean;
  /** The dialect has no stop sequences. */
  lacksStop?: boolean;
  /** A tool loop that the two models would refuse to share also without a gateway: the door passes it on as it is. */
  cannotShare?(from: string, to: string): boolean;
}
