import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import type { FileForm } from './file-parts.ts';

/**
 * What a server of OpenAI's kin does differently from OpenAI, as data and small pure functions. A provider's
 * declaration states it; `field-rules.ts` and `message-rules.ts` apply it, to the bytes that pass through and to
 * the requests that are translated alike. What a *model* takes is in `model-traits.ts`.
 */
export interface ChatQuirks extends MessageQuirks {
  /** Top-level fields of a chat completion request, by OpenAI's name. Fields without a rule go as they are. */
  fields?: FieldQuirks;
  /** The same for embedding requests. */
  embeddings?: FieldQuirks;
  /** Tools that take free text are known, at least to some of its models. Else functions stand for them. */
  customTools?: true;
  /** The deprecated `functions`, `function_call` and the role `function` are known. Else tools stand for them. */
  functions?: true;
  /** The choice among some of the tools (`allowed_tools`) is known. Else only these are offered. */
  allowedTools?: true;
  /** What becomes of a tool that must be called, where models do not think beside it; the first row that is for the model. */
  forcedTools?: readonly ForcedTools[];
  /** `tool_choice` is not read: a tool that must be called is offered alone, and none where none may be. */
  toolChoice?: 'unread';
  /** How many stop sequences a model takes, where those are fewer than its name tells (`model-traits.ts`). */
  mostStops?: (model: string) => number;
  /**
   * Fields to write where the request says nothing of what they are about, for models that would refuse it. What the caller said itself stands.
   * Not asked beside a tool that must be called: `forcedTools` is about that.
   */
  unsaid?: (model: string, beside: Beside) => JsonObject | undefined;
  /** Answers never hold what the model thinks. */
  hidesReasoning?: true;
  /** Reasoning comes in the text, between `<think>` and `</think>`. */
  thinkTags?: boolean;
}

export type FieldQuirks = Readonly<Record<string, FieldRule>>;

/**
 * What becomes of a request field: `drop` leaves it out and names it in `x-fairlead-dropped`; `omit` leaves out what
 * the server does anyway; `refuse` is for fields without which the answer would be wrong; `{ as }` is the server's
 * own name for it, or that of some of its models. A function decides by the value and the model.
 */
export type FieldRule = 'drop' | 'omit' | 'refuse' | Renaming | FieldRuleFunction | OccasionalRule;

export interface Renaming {
  as: string;
  /** Those that want the other name; absent: all. */
  models?: RegExp;
}

/** Of a field that may be large: its value is read only where the model, or what else the request says, calls for it. */
export interface OccasionalRule {
  isCalledFor(model: string, beside: Beside): boolean;
  decide: FieldRuleFunction;
}

export type FieldRuleFunction = (value: JsonValue, model: string, beside: Beside) => FieldOutcome;

/** What the request says in another field that has a rule, or that rules write. */
export type Beside = (field: string) => JsonValue | undefined;

/**
 * What a choice becomes that demands a call of any tool, or of one by its name: `refuse`, `alone` (any is demanded, and no other is offered), or
 * it stays beside the fields that have the model not think.
 */
export interface ForcedTools {
  /** Absent: all. */
  models?: RegExp;
  any: 'keep' | 'refuse' | JsonObject;
  named: 'keep' | 'refuse' | 'alone' | JsonObject;
}

/** Besides the words of `FieldRule`: `keep`, or the fields to write in its place. What the caller said itself stands. */
export type FieldOutcome = 'keep' | 'drop' | 'omit' | 'refuse' | JsonObject | Fitted;

/** The fields to write mean something else than the caller said: it is told `fitted`, in `x-fairlead-dropped`. */
export interface Fitted {
  fitted: string;
  instead: JsonObject;
}

/** The fields of `messages`. */
export interface MessageQuirks {
  /** It knows no role `developer`. */
  instructions?: 'system';
  /** Ids of tool calls must be nine letters and digits. */
  toolCallIds?: 'nine_alphanumerics';
  /** The field in which reasoning goes back; `none`: it is refused in messages. */
  reasoning?: ReasoningField | ((model: string) => ReasoningField);
  /** Models that refuse a history in which tools were called and nothing was thought: whoever thought it, and a stand-in where nobody did. */
  demandsReasoning?: RegExp;
  /** Fields of a message that are refused. */
  messageDrops?: readonly string[];
  /** Audio in `input_audio` is its base64 alone (Mistral), without its format. */
  audio?: 'base64';
  /** It takes files in another form than OpenAI's `file` parts, or none. */
  files?: FileForm;
  /** It reads images that are in the request alone, of the kinds that it knows (Ollama), and looks no address up. */
  images?: 'inline';
  /** Texts that a content lists are one text: as a list it reads them as messages of their own, without what else a message says (Ollama). */
  texts?: 'joined';
  /** The field that has a last message of the assistant continued. With `prefix` (Mistral) the answer repeats that message. */
  continuation?: 'prefix' | 'partial';
  /**
   * Where `prefix` has it continued, of servers that know that field at another path than the usual one (which is given) alone;
   * `undefined`: nowhere. The answer does not repeat that message.
   */
  continuedAt?: (path: string) => string | undefined;
  /** User and assistant must take turns: messages of one of them in a row are joined. */
  alternating?: boolean;
  /** The assistant alone speaks behind results of tools, and nobody instructs behind its turns (`strict-turns.ts`). */
  strictTurns?: 'every_model' | 'mistrals';
}

/** `thinking`: a part of the content (Mistral); `reasoning_details`: as they came, with their text in `reasoning` (OpenRouter). */
export type ReasoningField = 'reasoning' | 'reasoning_content' | 'reasoning_details' | 'thinking' | 'none';
