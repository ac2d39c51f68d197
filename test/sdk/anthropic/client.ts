import assert from 'node:assert/strict';
import Anthropic, {
  APIError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from '@anthropic-ai/sdk';
import type {
  ContentBlock,
  ContentBlockParam,
  Message,
  MessageCreateParamsNonStreaming,
  MessageParam,
  RawMessageStreamEvent,
  Tool,
  ToolChoice,
} from '@anthropic-ai/sdk/resources/messages';
import { TEST_KEY } from '../../support/gateway.ts';
import type { Answer, DoorClient, Failure, Question, Told, Turn, Way } from '../door-client.ts';

/** An Anthropic client as its users make it, but for its own retries: an error is to be seen as it comes. */
export function anthropicClient(url: string): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: TEST_KEY, maxRetries: 0 });
}

/** The door of Anthropic's SDK. */
export function anthropicDoor(client: Anthropic): DoorClient {
  return {
    dialect: 'messages',
    sdk: '@anthropic-ai/sdk',
    readFailure,
    finishOfCalls: 'tool',
    ask: (question, way) => ask(client, question, way),
    stream: async function* (question) {
      const { signal } = question;
      const events = await client.messages.create({ ...params(question), stream: true }, { signal });
      for await (const event of events) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text;
      }
    },
  };
}

/** What Anthropic's SDK raises for a status. */
const RAISED: Record<number, new (...args: never[]) => APIError> = {
  400: BadRequestError,
  404: NotFoundError,
  429: RateLimitError,
  502: InternalServerError,
  504: InternalServerError,
};

function readFailure(error: unknown): Failure {
  assert.ok(error instanceof APIError, String(error));
  const { status, type: word, headers } = error;
  if (status !== undefined) {
    const raised = RAISED[status] ?? APIError;
    assert.ok(error instanceof raised, `${status} raises ${raised.name}`);
    assert.match(error.requestID ?? '', /^req_/);
  }
  return { status, message: error.message, word, retryAfter: headers?.get('retry-after') ?? undefined };
}

async function ask(client: Anthropic, question: Question, way: Way): Promise<Told> {
  const { signal } = question;
  if (way === 'whole') {
    const { data, response } = await client.messages.create(params(question), { signal }).withResponse();
    return tell(data, response.headers);
  }
  const asked = client.messages.create({ ...params(question), stream: true }, { signal });
  const { data: stream, response } = await asked.withResponse();
  const events: RawMessageStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return tell(joinEvents(events), response.headers);
}

export function params(question: Question): MessageCreateParamsNonStreaming {
  const { model, system, turns, tools, stop, schema, thinks, maxTokens = 4096 } = question;
  return {
    model,
    max_tokens: maxTokens,
    messages: turns.map(writeTurn),
    ...(system === undefined ? {} : { system }),
    ...(tools
      ? { tools: tools.map(({ name, schema }) => ({ name, input_schema: objectSchema(schema) })) }
      : {}),
    ...(question.choice || question.singleCall ? { tool_choice: writeChoice(question) } : {}),
    ...(stop ? { stop_sequences: [...stop] } : {}),
    ...(schema ? { output_config: { format: { type: 'json_schema', schema } } } : {}),
    ...(thinks ? { thinking: thinking(model) } : {}),
  };
}

/** The newest models are told to think as they find right; older ones get a budget. */
function thinking(model: string): MessageCreateParamsNonStreaming['thinking'] {
  return model.includes('opus-4-8')
    ? { type: 'adaptive', display: 'summarized' }
    : { type: 'enabled', budget_tokens: 1024 };
}

function objectSchema(schema: Record<string, unknown> = {}): Tool.InputSchema {
  // As MCP servers say that a tool takes no arguments.
  return { ...schema, type: 'object' };
}

function writeChoice({ choice = 'auto', singleCall }: Question): ToolChoice {
  if (choice === 'none') return { type: 'none' };
  const single = singleCall ? { disable_parallel_tool_use: true } : {};
  if (typeof choice === 'object') return { type: 'tool', name: choice.name, ...single };
  return { type: choice === 'required' ? 'any' : 'auto', ...single };
}

function writeTurn(turn: Turn): MessageParam {
  if ('answer' in turn) return { role: 'assistant', content: turn.answer.kept as ContentBlockParam[] };
  if ('results' in turn) {
    const content = turn.results.map((result, at) => {
      const id = turn.of.ids[at];
      assert.ok(id);
      return { type: 'tool_result' as const, tool_use_id: id, content: result };
    });
    return { role: 'user', content };
  }
  if (!turn.media) return { role: 'user', content: turn.user };
  const media = turn.media.map(({ mediaType, base64 }): ContentBlockParam => {
    if (mediaType === 'application/pdf') {
      return { type: 'document', source: { type: 'base64', media_type: mediaType, data: base64 } };
    }
    return { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } };
  });
  return { role: 'user', content: [{ type: 'text', text: turn.user }, ...media] };
}

const FINISHES: Record<string, Answer['finish']> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool',
  refusal: 'filter',
};

function tell({ content, stop_reason: reason, usage, role, type }: Message, headers: Headers): Told {
  assert.deepEqual([type, role], ['message', 'assistant']);
  const uses = content.filter((block) => block.type === 'tool_use');
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    ids: uses.map(({ id }) => id),
    kept: content,
    header: (name) => headers.get(name),
    answer: {
      text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      thoughts: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
      calls: uses.map(({ name, input }) => [name, input]),
      finish: FINISHES[reason ?? ''] ?? String(reason),
      tokens: {
        input: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0),
        cached,
        output: usage.output_tokens,
        reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
      },
    },
  };
}

/** Adds the events of a stream up by the rules of the documentation ("Streaming messages"), and checks these rules. */
export function joinEvents(events: readonly RawMessageStreamEvent[]): Message {
  const [first, ...rest] = events;
  assert.ok(first?.type === 'message_start', 'a stream begins with message_start');
  assert.equal(events.at(-1)?.type, 'message_stop', 'and ends with message_stop');
  assert.equal(events.at(-2)?.type, 'message_delta', 'behind the message_delta');
  const message: Message = structuredClone(first.message);
  assert.equal(message.content.length, 0);
  let json: string | undefined;
  let open = false;
  for (const event of rest) {
    switch (event.type) {
      case 'content_block_start':
        assert.equal(open, false, 'one block at a time');
        assert.equal(event.index, message.content.length, 'blocks are numbered without gaps');
        open = true;
        json = undefined;
        message.content.push(structuredClone(event.content_block));
        break;
      case 'content_block_delta': {
        assert.ok(open && event.index === message.content.length - 1, 'a delta is one of the open block');
        const block = message.content.at(-1) as ContentBlock;
        json = addDelta(block, event.delta, json);
        break;
      }
      case 'content_block_stop': {
        assert.ok(open && event.index === message.content.length - 1);
        open = false;
        const block = message.content.at(-1);
        if (block?.type === 'tool_use' && json !== undefined && json !== '') block.input = JSON.parse(json);
        if (block?.type === 'thinking') assert.notEqual(block.signature, '', 'thinking is signed');
        break;
      }
      case 'message_delta':
        assert.equal(open, false);
        Object.assign(message, event.delta);
        for (const [key, value] of Object.entries(event.usage)) {
          if (value !== null) Object.assign(message.usage, { [key]: value });
        }
        break;
      case 'message_stop':
        break;
      default:
        assert.fail(`an event '${event.type}' in the middle of a stream`);
    }
  }
  return message;
}

type Delta = Extract<RawMessageStreamEvent, { type: 'content_block_delta' }>['delta'];

function addDelta(block: ContentBlock, delta: Delta, json: string | undefined): string | undefined {
  if (delta.type === 'text_delta' && block.type === 'text') block.text += delta.text;
  else if (delta.type === 'thinking_delta' && block.type === 'thinking') block.thinking += delta.thinking;
  else if (delta.type === 'signature_delta' && block.type === 'thinking') block.signature += delta.signature;
  else if (delta.type === 'citations_delta' && block.type === 'text') {
    block.citations = [...(block.citations ?? []), delta.citation];
  } else if (delta.type === 'input_json_delta' && block.type === 'tool_use') {
    return (json ?? '') + delta.partial_json;
  } else assert.fail(`a ${delta.type} in a block of ${block.type}`);
  return json;
}
