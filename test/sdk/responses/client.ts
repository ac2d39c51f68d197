import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type {
  Response,
  ResponseCreateParamsNonStreaming,
  ResponseInputContent,
  ResponseInputItem,
  ResponseStreamEvent,
  Tool,
  ToolChoiceFunction,
  ToolChoiceOptions,
} from 'openai/resources/responses/responses';
import type { Answer, DoorClient, Question, Told, Turn, Way } from '../door-client.ts';
import { readOpenAiFailure } from '../openai/failure.ts';

/** The door of OpenAI's SDK, by its Responses API. */
export function responsesDoor(client: OpenAI): DoorClient {
  return {
    dialect: 'responses',
    sdk: 'openai, responses',
    readFailure: readOpenAiFailure,
    // A response that calls tools is as completed as any other.
    finishOfCalls: 'stop',
    lacksStop: true,
    ask: (question, way) => ask(client, question, way),
    stream: async function* (question) {
      const { signal } = question;
      const events = await client.responses.create({ ...params(question), stream: true }, { signal });
      for await (const event of events) if (event.type === 'response.output_text.delta') yield event.delta;
    },
  };
}

async function ask(client: OpenAI, question: Question, way: Way): Promise<Told> {
  const { signal } = question;
  if (way === 'whole') {
    const { data, response } = await client.responses.create(params(question), { signal }).withResponse();
    return tell(data, response.headers);
  }
  const asked = client.responses.create({ ...params(question), stream: true }, { signal });
  const { data: stream, response } = await asked.withResponse();
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return tell(joinEvents(events), response.headers);
}

export function params(question: Question): ResponseCreateParamsNonStreaming {
  const { model, system, turns, tools, choice, singleCall, schema, thinks, maxTokens } = question;
  return {
    model,
    input: turns.flatMap(writeTurn),
    ...(system === undefined ? {} : { instructions: system }),
    ...(maxTokens === undefined ? {} : { max_output_tokens: maxTokens }),
    ...(tools ? { tools: tools.map(({ name, schema }) => writeTool(name, schema)) } : {}),
    ...(choice ? { tool_choice: writeChoice(choice) } : {}),
    ...(singleCall ? { parallel_tool_calls: false } : {}),
    ...(schema ? { text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } } } : {}),
    ...(thinks
      ? {
          reasoning: { effort: 'low', summary: 'auto' },
          include: ['reasoning.encrypted_content'],
          store: false,
        }
      : {}),
  };
}

export function writeTool(name: string, schema: Record<string, unknown> = {}): Tool {
  return {
    type: 'function',
    name,
    strict: false,
    parameters: { properties: {}, ...schema, type: 'object' },
  };
}

function writeChoice(choice: NonNullable<Question['choice']>): ToolChoiceOptions | ToolChoiceFunction {
  return typeof choice === 'object' ? { type: 'function', name: choice.name } : choice;
}

function writeTurn(turn: Turn): ResponseInputItem[] {
  if ('answer' in turn) return turn.answer.kept as ResponseInputItem[];
  if ('results' in turn) {
    return turn.results.map((output, at) => {
      const id = turn.of.ids[at];
      assert.ok(id);
      return { type: 'function_call_output', call_id: id, output };
    });
  }
  if (!turn.media) return [{ role: 'user', content: turn.user }];
  const media = turn.media.map(({ mediaType, base64 }): ResponseInputContent => {
    const url = `data:${mediaType};base64,${base64}`;
    if (mediaType !== 'application/pdf') return { type: 'input_image', image_url: url, detail: 'auto' };
    return { type: 'input_file', filename: 'a.pdf', file_data: url };
  });
  return [{ role: 'user', content: [{ type: 'input_text', text: turn.user }, ...media] }];
}

const FINISHES: Record<string, Answer['finish']> = {
  completed: 'stop',
  max_output_tokens: 'length',
  content_filter: 'filter',
};

export function tell(response: Response, headers: Headers): Told {
  const { output, usage, status, incomplete_details: details, object, error } = response;
  assert.deepEqual([object, error], ['response', null]);
  assert.match(response.id, /^resp_/);
  const calls = output.filter((item) => item.type === 'function_call');
  const finish = details?.reason ?? status ?? '';
  return {
    ids: calls.map(({ call_id }) => call_id),
    kept: output,
    header: (name) => headers.get(name),
    answer: {
      text: output
        .flatMap((item) => (item.type === 'message' ? item.content : []))
        .map((part) => (part.type === 'output_text' ? part.text : ''))
        .join(''),
      thoughts: output
        .flatMap((item) => (item.type === 'reasoning' ? [...item.summary, ...(item.content ?? [])] : []))
        .map(({ text }) => text)
        .join(''),
      calls: calls.map(({ name, arguments: json }) => [name, JSON.parse(json)]),
      finish: FINISHES[finish] ?? finish,
      tokens: {
        input: usage?.input_tokens ?? 0,
        cached: usage?.input_tokens_details.cached_tokens ?? 0,
        output: usage?.output_tokens ?? 0,
        reasoning: usage?.output_tokens_details.reasoning_tokens ?? 0,
      },
    },
  };
}

/** The response of a stream, whose deltas must come to the same as its last event says. */
export function joinEvents(events: readonly ResponseStreamEvent[]): Response {
  const [first] = events;
  const last = events.at(-1);
  assert.ok(first?.type === 'response.created', 'a stream begins with response.created');
  assert.equal(events[1]?.type, 'response.in_progress');
  assert.ok(last?.type === 'response.completed' || last?.type === 'response.incomplete', String(last?.type));
  assert.deepEqual(
    events.map(({ sequence_number: number }) => number),
    events.map((_, index) => index),
    'events are numbered without gaps',
  );
  assert.equal(first.response.id, last.response.id);
  const added: string[] = [];
  const said = new Map<string, string>();
  for (const event of events) {
    if (event.type === 'response.output_item.added') {
      assert.equal(event.output_index, added.length, 'items are numbered without gaps');
      added.push(event.item.id ?? '');
    }
    if (event.type === 'response.output_item.done') {
      assert.deepEqual(event.item, last.response.output[event.output_index]);
    }
    if ('delta' in event && 'item_id' in event) {
      assert.equal(event.item_id, added.at(-1), 'a delta is one of the open item');
      const id = event.item_id ?? '';
      said.set(id, (said.get(id) ?? '') + String(event.delta));
    }
  }
  assert.equal(added.length, last.response.output.length);
  for (const item of last.response.output) {
    if (item.type === 'function_call') assert.equal(said.get(item.id ?? ''), item.arguments);
    if (item.type !== 'message') continue;
    const words = item.content.map((part) => (part.type === 'output_text' ? part.text : part.refusal));
    assert.equal(said.get(item.id) ?? '', words.join(''));
  }
  return last.response;
}
