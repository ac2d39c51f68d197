/**
 * The bodies of the bench's calls, in the `chat` dialect (OpenAI Chat Completions), the same bytes each time.
 * Sizes are given and met to the byte by filling up the text.
 */
export const PROSE =
  'The harbour was quiet that morning, and the pilot boat lay at the quay with its engine ticking over while the ' +
  'crew read the tide tables and argued, without much heat, about which of the two channels would carry the ship in. ';

const CREATED = 1_767_225_600;

/** A completion request of `sizeBytes`. A stream is asked to report usage, so no gateway has to add that. */
export function buildRequestBody(model: string, stream: boolean, sizeBytes: number): Buffer {
  return fillToSize(sizeBytes, (text) => ({
    model,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    temperature: 0.2,
    max_completion_tokens: 512,
    messages: [
      { role: 'system', content: 'You are a careful assistant. Answer in plain prose.' },
      { role: 'user', content: text },
    ],
  }));
}

/** The input of a prompt whose request is of about `sizeBytes`: half of it stands in the prompt's file. */
export function buildPromptInput(sizeBytes: number): Buffer {
  return fillToSize(sizeBytes / 2, (text) => ({ text, tone: 'formal', topics: ['tides', 'channels'] }));
}

/** A prompt with schemas and helpers, whose text is half of `sizeBytes`. */
export function buildPromptFile(model: string, sizeBytes: number): string {
  const text = PROSE.repeat(Math.ceil(sizeBytes / PROSE.length)).slice(0, sizeBytes / 2 - 200);
  return `---
model: ${model}
config: { temperature: 0.2, maxOutputTokens: 512 }
input:
  default: { sentences: 3 }
  schema:
    text: string
    tone(enum): [neutral, formal]
    topics(array): string
    sentences?: integer
---
{{role "system"}}
You sum up in {{sentences}} sentences, in a {{tone}} tone. ${text}
{{#each topics}}- {{this}}
{{/each}}
{{role "user"}}
{{text}}
`;
}

/** A whole `chat.completion` of `sizeBytes`, with usage. */
export function buildAnswerBody(model: string, sizeBytes: number): Buffer {
  return fillToSize(sizeBytes, (text) => ({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: CREATED,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: buildUsage(180),
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
  }));
}

/** The events of a streamed answer: `chunks` with `data:` and a blank line each, the last three being finish reason, usage and `[DONE]`. */
export function buildStreamEvents(model: string, chunks: number): Buffer[] {
  const words = PROSE.split(' ');
  const events: string[] = [renderChunk(model, { role: 'assistant', content: '' }, null)];
  while (events.length < chunks - 3) {
    events.push(renderChunk(model, { content: `${words[events.length % words.length]} ` }, null));
  }
  events.push(renderChunk(model, {}, 'stop'));
  events.push(renderEvent({ ...chunkHead(model), choices: [], usage: buildUsage(chunks) }));
  events.push('data: [DONE]\n\n');
  return events.map((event) => Buffer.from(event));
}

function renderChunk(model: string, delta: object, finishReason: string | null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finishReason }];
  return renderEvent({ ...chunkHead(model), choices, usage: null });
}

function chunkHead(model: string): object {
  return {
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: CREATED,
    model,
    system_fingerprint: 'fp_bench',
  };
}

function renderEvent(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function buildUsage(completionTokens: number): object {
  return {
    prompt_tokens: 200,
    completion_tokens: completionTokens,
    total_tokens: 200 + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  };
}

/** Serialises what `build` makes of a text that is just long enough. Throws when even no text is too long. */
export function fillToSize(sizeBytes: number, build: (text: string) => object): Buffer {
  const room = sizeBytes - JSON.stringify(build('')).length;
  if (room < 0) throw new Error(`${sizeBytes} bytes do not hold the body's frame`);
  const text = PROSE.repeat(Math.ceil(room / PROSE.length)).slice(0, room);
  return Buffer.from(JSON.stringify(build(text)));
}
