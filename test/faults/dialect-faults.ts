import { close, type Fault, later, sse } from './faults.ts';

/**
 * How streams of the other dialects fail: by their own error events, before and behind words. Sources: Anthropic's docs, "Streaming
 * messages", "Error events"; OpenAI's API reference, streaming events `error` and `response.failed`; google.rpc.Status.
 */

const event = (name: string, data: object): string =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;

const usage = { input_tokens: 3, output_tokens: 1 };
const MESSAGE = {
  ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [] },
  ...{ stop_reason: null, stop_sequence: null, usage },
};
const START = event('message_start', { message: MESSAGE });
const BLOCK = event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
const TEXT = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Partial ' } });
const anthropicError = (type: string): string => event('error', { error: { type, message: 'Broke' } });

const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  status: 'in_progress',
  output: [],
};
const CREATED = event('response.created', { sequence_number: 0, response: RESPONSE });
const ITEM = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] };
const SAID = [
  CREATED,
  event('response.output_item.added', { sequence_number: 1, output_index: 0, item: ITEM }),
  event('response.content_part.added', {
    ...{ sequence_number: 2, output_index: 0, content_index: 0, item_id: 'msg_1' },
    part: { type: 'output_text', text: '', annotations: [] },
  }),
  event('response.output_text.delta', {
    ...{ sequence_number: 3, output_index: 0, content_index: 0, item_id: 'msg_1' },
    ...{ delta: 'Partial ', logprobs: [] },
  }),
].join('');
const RESPONSES_ERROR = event('error', {
  sequence_number: 1,
  code: 'server_error',
  message: 'Broke',
  param: null,
});
const FAILED = event('response.failed', {
  sequence_number: 4,
  response: { ...RESPONSE, status: 'failed', error: { code: 'server_error', message: 'Broke' } },
});

const candidate = { index: 0, content: { role: 'model', parts: [{ text: 'Partial ' }] } };
const GEMINI_WORDS = `data: ${JSON.stringify({ candidates: [candidate], modelVersion: 'm', responseId: 'r' })}\n\n`;
const GEMINI_ERROR = `data: ${JSON.stringify({ error: { code: 503, message: 'Broke', status: 'UNAVAILABLE' } })}\n\n`;

const before = (provider: string, name: string, text: string, more: Partial<Fault> = {}): Fault => ({
  name: `${provider}: ${name}`,
  provider,
  act: sse(text, close),
  status: 502,
  only: 'stream',
  ...more,
});

/** Words, and what comes behind them in another packet. */
const behind = (
  provider: string,
  name: string,
  words: string,
  rest: string,
  more: Partial<Fault> = {},
): Fault => ({
  name: `${provider}: ${name}`,
  provider,
  act: sse(words, (socket) => later(socket, rest)),
  status: 200,
  only: 'stream',
  breaksOff: true,
  ...more,
});

/** Who speaks Responses is asked in chat at the other doors. */
const AT_RESPONSES = { doors: ['responses'] };

export const DIALECT_FAULTS: readonly Fault[] = [
  before('anthropic', 'an error as the first event', anthropicError('api_error')),
  before('anthropic', 'too much to do, behind the start', `${START}${anthropicError('overloaded_error')}`, {
    // As Anthropic's own API says it: `docs/errors.md`.
    statusAt: { messages: 529 },
  }),
  before('anthropic', 'an end behind the start', START),
  before('anthropic', 'an event of no JSON', `${START}event: content_block_delta\ndata: {"type"\n\n`),
  behind('anthropic', 'an error behind words', `${START}${BLOCK}${TEXT}`, anthropicError('overloaded_error')),
  behind('anthropic', 'an end behind words', `${START}${BLOCK}${TEXT}`, ''),
  before('gemini', 'an error as the first event', GEMINI_ERROR),
  before('gemini', 'an event of no dialect', 'data: "words"\n\n'),
  behind('gemini', 'an error behind words', GEMINI_WORDS, GEMINI_ERROR),
  behind('gemini', 'an end behind words', GEMINI_WORDS, ''),
  before('openai', 'an error behind the start', `${CREATED}${RESPONSES_ERROR}`, AT_RESPONSES),
  before('openai', 'a failure behind the start', `${CREATED}${FAILED}`, AT_RESPONSES),
  before('openai', 'an end behind the start', CREATED, AT_RESPONSES),
  behind('openai', 'an error behind words', SAID, RESPONSES_ERROR, AT_RESPONSES),
  behind('openai', 'a failure behind words', SAID, FAILED, AT_RESPONSES),
  behind('openai', 'an end behind words', SAID, '', AT_RESPONSES),
];
