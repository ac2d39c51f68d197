import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionContentPart,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageParam,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
} from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Answer, DoorClient, Question, Told, Turn, Way } from '../door-client.ts';
import { readOpenAiFailure } from './failure.ts';

/**
 * The door of OpenAI's SDK, by its Chat Completions. Where a provider of OpenAI's kin answers in a way of its own, its answer is
 * relayed as it comes: this client reads it as that provider's users do. (`answers.ts` is strict about OpenAI's own rules.)
 */
export function chatDoor(client: OpenAI): DoorClient {
  return {
    dialect: 'chat',
    sdk: 'openai, chat',
    finishOfCalls: 'tool',
    readFailure: readOpenAiFailure,
    ask: (question, way) => ask(client, question, way),
    stream: async function* (question) {
      const { signal } = question;
      const chunks = await client.chat.completions.create({ ...params(question), stream: true }, { signal });
      for await (const { choices } of chunks) {
        const [text] = splitContent(choices[0]?.delta?.content);
        if (text !== '') yield text;
      }
    },
  };
}

async function ask({ chat: { completions } }: OpenAI, question: Question, way: Way): Promise<Told> {
  const { signal } = question;
  if (way === 'whole') {
    const { data, response } = await completions.create(params(question), { signal }).withResponse();
    return tell(data, response.headers);
  }
  const options = { stream: true, stream_options: { include_usage: true } } as const;
  const asked = completions.create({ ...params(question), ...options }, { signal });
  const { data: stream, response } = await asked.withResponse();
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return tell(joinChunks(chunks), response.headers);
}

export function params(question: Question): ChatCompletionCreateParamsNonStreaming {
  const { model, turns, system, tools, choice, singleCall, maxTokens, stop, schema, thinks } = question;
  return {
    model,
    messages: [
      ...(system === undefined ? [] : [{ role: 'developer' as const, content: system }]),
      ...turns.flatMap(writeTurn),
    ],
    ...(tools ? { tools: tools.map(writeTool) } : {}),
    ...(choice ? { tool_choice: writeChoice(choice) } : {}),
    ...(singleCall ? { parallel_tool_calls: false } : {}),
    ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens }),
    ...(stop ? { stop: [...stop] } : {}),
    ...(schema
      ? { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } } }
      : {}),
    ...(thinks ? { reasoning_effort: 'low' } : {}),
  };
}

function writeTool({ name, schema }: { name: string; schema?: Record<string, unknown> }): ChatCompletionTool {
  return {
    type: 'function',
    function: { name, parameters: { properties: {}, ...schema, type: 'object' } },
  };
}

function writeChoice(choice: NonNullable<Question['choice']>): ChatCompletionToolChoiceOption {
  return typeof choice === 'object' ? { type: 'function', function: choice } : choice;
}

function writeTurn(turn: Turn): ChatCompletionMessageParam[] {
  if ('answer' in turn) return [turn.answer.kept as ChatCompletionMessageParam];
  if ('results' in turn) {
    return turn.results.map((content, at) => {
      const id = turn.of.ids[at];
      assert.ok(id);
      return { role: 'tool', tool_call_id: id, content };
    });
  }
  if (!turn.media) return [{ role: 'user', content: turn.user }];
  const media = turn.media.map(({ mediaType, base64 }): ChatCompletionContentPart => {
    const url = `data:${mediaType};base64,${base64}`;
    if (mediaType !== 'application/pdf') return { type: 'image_url', image_url: { url } };
    return { type: 'file', file: { filename: 'a.pdf', file_data: url } };
  });
  return [{ role: 'user', content: [{ type: 'text', text: turn.user }, ...media] }];
}

/** Fields of OpenAI's kin: the SDK passes them on without a type. */
interface Reasoned {
  reasoning_content?: string;
  reasoning?: string;
  /** OpenRouter's, which go back as they came. */
  reasoning_details?: unknown[];
}

/** Mistral's thoughts are parts of the content. */
type ContentPart = { type: 'text'; text: string } | { type: 'thinking'; thinking: { text: string }[] };

function splitContent(content: unknown): [text: string, thoughts: string] {
  if (!Array.isArray(content)) return [(content ?? '') as string, ''];
  const parts = content as ContentPart[];
  const texts = parts.map((part) => (part.type === 'text' ? part.text : ''));
  const thoughts = parts.flatMap((part) => (part.type === 'thinking' ? part.thinking : []));
  return [texts.join(''), thoughts.map(({ text }) => text).join('')];
}

const FINISHES: Record<string, Answer['finish']> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool',
  content_filter: 'filter',
};

function tell({ choices: [choice], usage }: ChatCompletion, headers: Headers): Told {
  assert.ok(choice, 'an answer has a choice');
  const { message, finish_reason: finish } = choice;
  assert.equal(message.role, 'assistant');
  const calls = (message.tool_calls ?? []).filter((call) => call.type === 'function');
  const { reasoning_content: content, reasoning } = message as Reasoned;
  const [said, thought] = splitContent(message.content);
  const [text, tagged] = splitTags(said);
  return {
    ids: calls.map(({ id }) => id),
    kept: message,
    header: (name) => headers.get(name),
    answer: {
      text,
      thoughts: content ?? reasoning ?? (thought || tagged),
      calls: calls.map(({ function: { name, arguments: json } }) => [name, JSON.parse(json)]),
      finish: FINISHES[finish] ?? finish,
      tokens: {
        input: usage?.prompt_tokens ?? 0,
        cached: readCached(usage),
        output: usage?.completion_tokens ?? 0,
        reasoning: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
      },
    },
  };
}

/** DeepSeek has a name of its own for it. */
function readCached(usage: (CompletionUsage & { prompt_cache_hit_tokens?: number }) | undefined): number {
  return usage?.prompt_tokens_details?.cached_tokens ?? usage?.prompt_cache_hit_tokens ?? 0;
}

function splitTags(content: string): [text: string, thoughts: string] {
  const [all, thoughts] = /^<think>\s*(.*?)\s*<\/think>\s*/s.exec(content) ?? [];
  return all === undefined || thoughts === undefined ? [content, ''] : [content.slice(all.length), thoughts];
}

function wholeContent(text: string, thoughts: string, calls: boolean): string | null | ContentPart[] {
  if (thoughts === '') return text === '' && calls ? null : text;
  const said: ContentPart[] = text === '' ? [] : [{ type: 'text', text }];
  return [{ type: 'thinking', thinking: [{ type: 'text', text: thoughts } as { text: string }] }, ...said];
}

/** Adds the chunks of a stream up. The usage stands behind the choices, or on every chunk. */
function joinChunks(chunks: readonly ChatCompletionChunk[]): ChatCompletion {
  const message = { role: 'assistant' as const, content: '', refusal: null };
  const reasoned: Reasoned = {};
  const calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] = [];
  let thoughts = '';
  const details: unknown[] = [];
  let finish: ChatCompletion.Choice['finish_reason'] | undefined;
  let usage: CompletionUsage | undefined;
  for (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      if (choice.finish_reason) finish = choice.finish_reason;
      const delta: (ChatCompletionChunk.Choice.Delta & Reasoned) | undefined = choice.delta;
      // Of Azure's filter.
      if (!delta) continue;
      const [text, thought] = splitContent(delta.content);
      message.content += text;
      thoughts += thought;
      for (const detail of delta.reasoning_details ?? []) details.push(detail);
      for (const field of ['reasoning_content', 'reasoning'] as const) {
        if (delta[field] !== undefined) reasoned[field] = (reasoned[field] ?? '') + delta[field];
      }
      for (const { index, id, function: piece } of delta.tool_calls ?? []) {
        if (id !== undefined) {
          assert.equal(index, calls.length, 'calls are numbered from 0 without gaps');
          calls.push({ id, type: 'function', function: { name: piece?.name ?? '', arguments: '' } });
        }
        const call = calls[index];
        assert.ok(call, 'a call begins with its id');
        call.function.arguments += piece?.arguments ?? '';
      }
    }
  }
  const [first] = chunks;
  assert.ok(first && finish, 'a stream has a finish reason');
  const { content } = message;
  return {
    ...first,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        finish_reason: finish,
        logprobs: null,
        message: {
          ...message,
          ...reasoned,
          ...(details.length > 0 ? { reasoning_details: details } : {}),
          content: wholeContent(content, thoughts, calls.length > 0),
          ...(calls.length > 0 ? { tool_calls: calls } : {}),
        },
      },
    ],
    ...(usage ? { usage } : {}),
  } as ChatCompletion;
}
