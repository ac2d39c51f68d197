import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type {
  ChatCompletion,
  ChatCompletionAssistantMessageParam,
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageFunctionToolCall,
} from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';

/** How a client may ask: for the whole answer, or for a stream. */
export const WAYS = ['whole', 'streamed'] as const;
export type Way = (typeof WAYS)[number];

/** What a client sees of an answer: all that must be the same whoever gave it. */
export interface Answer {
  content: string | null;
  reasoning: string;
  calls: [name: string, args: unknown][];
  finish: string;
  tokens: Tokens;
}

interface Tokens {
  input: number;
  cached: number;
  output: number;
  reasoning: number;
}

/** `reasoning_content` is no field of OpenAI's own: its SDK passes it on without a type. */
interface Reasoned {
  reasoning_content?: string;
}

export interface Asked {
  answer: Answer;
  /** The calls with the ids that the client was given. */
  calls: ChatCompletionMessageFunctionToolCall[];
}

/** Asks in one of the two ways. Both give the same answer. */
export async function ask(
  { chat: { completions } }: OpenAI,
  params: ChatCompletionCreateParamsNonStreaming,
  way: Way = 'whole',
): Promise<Asked> {
  if (way === 'whole') return describe(await completions.create(params));
  const stream = await completions.create({
    ...params,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return describe(joinChunks(chunks));
}

export function describe({ choices: [choice], usage }: ChatCompletion): Asked {
  assert.ok(choice && usage, 'an answer has a choice and its usage');
  const { message, finish_reason: finish } = choice;
  assert.equal(message.role, 'assistant');
  const calls = (message.tool_calls ?? []).filter((call) => call.type === 'function');
  return {
    calls,
    answer: {
      content: message.content,
      reasoning: (message as Reasoned).reasoning_content ?? '',
      calls: calls.map(({ function: { name, arguments: json } }) => [name, JSON.parse(json)]),
      finish,
      tokens: countTokens(usage),
    },
  };
}

function countTokens(usage: CompletionUsage): Tokens {
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  return {
    input: usage.prompt_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    output: usage.completion_tokens,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  };
}

/** Adds the chunks of a stream up by the rules that OpenAI states for them, and checks these rules. */
export function joinChunks(chunks: readonly ChatCompletionChunk[]): ChatCompletion {
  const [first] = chunks;
  assert.ok(first, 'a stream has chunks');
  const message = { role: 'assistant' as const, content: '', refusal: '', reasoning_content: '' };
  const calls: ChatCompletionMessageFunctionToolCall[] = [];
  let finish: ChatCompletion.Choice['finish_reason'] | undefined;
  let usage: CompletionUsage | undefined;
  for (const [at, chunk] of chunks.entries()) {
    assert.deepEqual([chunk.id, chunk.model, chunk.created], [first.id, first.model, first.created]);
    if (chunk.usage) {
      assert.equal(at, chunks.length - 1, 'the usage comes last');
      assert.deepEqual(chunk.choices, []);
      usage = chunk.usage;
    }
    for (const { index, delta, finish_reason: reason } of chunk.choices) {
      assert.equal(index, 0);
      assert.equal(finish, undefined, 'nothing follows the finish reason');
      assert.equal(delta.role, at === 0 ? 'assistant' : undefined, 'the role comes first, and once');
      message.content += delta.content ?? '';
      message.refusal += delta.refusal ?? '';
      message.reasoning_content += (delta as Reasoned).reasoning_content ?? '';
      for (const call of delta.tool_calls ?? []) addCall(calls, call);
      if (reason) finish = reason;
    }
  }
  assert.ok(finish, 'a stream has a finish reason');
  const { content, refusal, ...others } = message;
  const isSilent = content === '' && (calls.length > 0 || refusal !== '');
  return {
    ...first,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          ...others,
          content: isSilent ? null : content,
          refusal: refusal === '' ? null : refusal,
          tool_calls: calls,
        },
        finish_reason: finish,
        logprobs: null,
      },
    ],
    usage,
  } as ChatCompletion;
}

function addCall(
  calls: ChatCompletionMessageFunctionToolCall[],
  { index, id, type, function: piece }: ChatCompletionChunk.Choice.Delta.ToolCall,
): void {
  const call = calls[index];
  if (call) {
    assert.equal(id, undefined, 'an id comes once');
    call.function.arguments += piece?.arguments ?? '';
    return;
  }
  assert.equal(index, calls.length, 'calls are numbered from 0 without gaps');
  assert.ok(id && piece?.name, 'a call begins with its id and name');
  assert.equal(type, 'function');
  calls.push({ id, type, function: { name: piece.name, arguments: piece.arguments ?? '' } });
}

/** The message that a client sends back which keeps nothing but the standard fields. */
export function replay({ answer, calls }: Asked): ChatCompletionAssistantMessageParam {
  return {
    role: 'assistant',
    content: answer.content,
    ...(calls.length > 0
      ? {
          tool_calls: calls.map(({ id, function: { name, arguments: json } }) => ({
            id,
            type: 'function' as const,
            function: { name, arguments: json },
          })),
        }
      : {}),
  };
}
