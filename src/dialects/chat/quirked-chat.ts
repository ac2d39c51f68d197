import type { Conversation } from '../../conversation/conversation.ts';
import {
  type CallerWord,
  callerWord,
  changedTo,
  thinkingBudgetWord,
  wordsOfThinking,
} from '../caller-words.ts';
import type { Dialect, EncodedRequest } from '../dialect.ts';
import type { ModelNames } from '../model-names.ts';
import { chatParameterKey, parameterName } from '../parameters.ts';
import { type FieldSpans, findTopLevelFields } from '../request-fields.ts';
import type { WordTable } from '../word-table.ts';
import { encodeRequest } from './encode-request.ts';
import { FieldRules } from './field-rules.ts';
import { withForcedTools, withUnreadChoice } from './forced-tools.ts';
import { chat } from './index.ts';
import { MessageRules } from './message-rules.ts';
import type { ChatQuirks } from './quirks.ts';
import { decodeResponse } from './response.ts';
import { ChatStreamDecoder } from './stream-decoder.ts';
import { withUnsaid } from './unsaid-fields.ts';

/** A request's bytes with the rules applied, and what they left out, in the chat dialect's words. */
export interface RewrittenBody {
  body: Buffer;
  dropped: string[];
  /** By the names of what goes by another one there. */
  renamed?: Record<string, string> | undefined;
}

/** The chat dialect as one provider speaks it: compiled once from its quirks, used for every call. */
export class QuirkedChat {
  readonly dialect: Dialect;
  /** Whether its streams can be asked for their usage; otherwise they say it by themselves, or not at all. */
  readonly takesStreamOptions: boolean;
  /** A body that may hold a custom tool or a call of one cannot pass through. */
  readonly emulatesCustomTools: boolean;
  /** Nor one whose choice may be among some of its tools. */
  readonly narrowsTools: boolean;
  /** Nor one that says functions, or calls of them, in their deprecated form. */
  readonly writesFunctionsAsTools: boolean;
  /** How and where a last message of the assistant is gone on with, if it can be. */
  readonly continuation: ChatQuirks['continuation'];
  readonly continuedAt: ChatQuirks['continuedAt'];
  readonly #quirks: ChatQuirks;
  readonly #fields: FieldRules;
  readonly #embeddings: FieldRules;

  constructor(quirks: ChatQuirks) {
    const { fields = {}, embeddings = {}, thinkTags = false } = quirks;
    this.#quirks = quirks;
    this.#fields = new FieldRules(
      withUnsaid(
        withUnreadChoice(withForcedTools(fields, quirks.forcedTools), quirks.toolChoice),
        quirks.unsaid,
      ),
      new MessageRules(quirks),
    );
    this.#embeddings = new FieldRules(embeddings);
    this.takesStreamOptions = fields['stream_options'] === undefined;
    this.emulatesCustomTools = quirks.customTools !== true;
    this.continuation = quirks.continuation;
    this.continuedAt = quirks.continuedAt;
    this.narrowsTools = quirks.allowedTools !== true;
    this.writesFunctionsAsTools = quirks.functions !== true;
    const replaysReasoning = quirks.reasoning !== undefined && quirks.reasoning !== 'none';
    const answer = { thinkTags, replaysReasoning, sealsDetails: quirks.reasoning === 'reasoning_details' };
    this.dialect = {
      ...chat,
      encodeRequest: (conversation, model, names) => this.#encodeRequest(conversation, model, names),
      decodeResponse: (body) => decodeResponse(body, answer),
      streamDecoder: () => new ChatStreamDecoder(answer),
    };
  }

  /** @throws GatewayError `invalid_request` for what the provider would answer wrongly. */
  rewriteRequest(body: Buffer, places: FieldSpans, model: string): RewrittenBody {
    return rewrite(this.#fields, body, places, model);
  }

  rewriteEmbeddings(body: Buffer, model: string): RewrittenBody {
    const { wanted } = this.#embeddings;
    const places = wanted.words.length > 0 ? findTopLevelFields(body, wanted) : {};
    return rewrite(this.#embeddings, body, places, model);
  }

  /** How many stop sequences a model takes at this provider, whatever its name says. */
  mostStops(model: string): number {
    return this.#quirks.mostStops?.(model) ?? Number.POSITIVE_INFINITY;
  }

  /** The fields of a request whose places `rewriteRequest` is to be told. */
  get wantedFields(): WordTable {
    return this.#fields.wanted;
  }

  /** The same for an embedding request that was translated. */
  encodeEmbeddings({ body, dropped }: EncodedRequest, model: string): EncodedRequest {
    const names = new Set(dropped);
    const rewritten = this.#embeddings.rewriteJson(body, model, (name) => names.add(name));
    return { body: rewritten, dropped: [...names] };
  }

  #encodeRequest(conversation: Conversation, model: string, names: ModelNames = 'vendor'): EncodedRequest {
    const { reasoning: wanted, files, images } = this.#quirks;
    const demandsReasoning = this.#quirks.demandsReasoning?.test(model) === true;
    const reasoning = typeof wanted === 'function' ? wanted(model) : wanted;
    const { emulatesCustomTools, narrowsTools } = this;
    const showsReasoning = this.#quirks.hidesReasoning !== true;
    const options = {
      ...{ reasoning, demandsReasoning, showsReasoning },
      ...{ emulatesCustomTools, narrowsTools, files, images, mostStops: this.mostStops(model) },
    };
    const encoded = encodeRequest(conversation, model, names, options);
    const dropped = new Set(encoded.dropped);
    const wordOf = (name: string) => callerName(conversation, name);
    const drop = (name: string, fitted?: string) => {
      // Ours, unless the caller speaks this dialect: others have nothing like it to ask for.
      if (name === 'stream_options' && conversation.dialect !== 'chat') return;
      if (fitted !== undefined) dropped.add(changedTo(fittedName(conversation, name), fitted));
      else for (const word of callerNames(conversation, name)) dropped.add(word);
    };
    const body = this.#fields.rewriteJson(encoded.body, model, drop, wordOf);
    return { ...encoded, body, dropped: [...dropped] };
  }
}

function rewrite(rules: FieldRules, body: Buffer, places: FieldSpans, model: string): RewrittenBody {
  const dropped: string[] = [];
  const drop = (field: string, fitted?: string) => {
    const name = fitted === undefined ? field : changedTo(field, fitted);
    if (!dropped.includes(name)) dropped.push(name);
  };
  const rewritten = rules.rewriteBytes(body, places, model, drop);
  const renamed = rewritten === body ? undefined : rules.renamings(body, places, model);
  return { body: rewritten, dropped, renamed };
}

/** Fields that are no parameters, and what callers of other dialects call them. */
const FIELD_WORDS = new Map<string, CallerWord>([
  ['tool_choice', 'toolChoice'],
  ['parallel_tool_calls', 'parallelToolCalls'],
  ['response_format', 'responseFormat'],
  ['reasoning_effort', 'reasoning'],
  ['messages[].reasoning_content', 'reasoning'],
  ['messages[].role', 'instructingRole'],
]);

/** How much a model may think is an effort or a budget to callers of other dialects. */
function fittedName(conversation: Conversation, field: string): string {
  if (field !== 'reasoning_effort') return callerName(conversation, field);
  const { effort, budgetTokens } = conversation.reasoning ?? {};
  if (effort === 'none' || (effort === undefined && budgetTokens === 0))
    return callerWord(conversation, 'reasoning');
  return effort === undefined ? thinkingBudgetWord(conversation) : callerWord(conversation, 'effort');
}

/** A wish to think may have been said in two fields. */
function callerNames(conversation: Conversation, field: string): string[] {
  const isWish = field === 'reasoning_effort' && conversation.dialect !== 'chat';
  return isWish ? wordsOfThinking(conversation) : [callerName(conversation, field)];
}

function callerName(conversation: Conversation, field: string): string {
  if (conversation.dialect === 'chat') return wordOfFunctions(conversation, field);
  const key = chatParameterKey(field);
  if (key) return parameterName(conversation, key);
  const word = FIELD_WORDS.get(field);
  return word ? callerWord(conversation, word) : field;
}

/** Who says functions in their deprecated form knows nothing of `tools`. */
function wordOfFunctions({ spelling }: Conversation, field: string): string {
  if (field === 'tools') return spelling?.tools ?? field;
  return field === 'tool_choice' ? (spelling?.toolChoice ?? field) : field;
}
