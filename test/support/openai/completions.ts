import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { emptyTurn, type ModelAnswer, type ModelChoice, piecesOf, runModel } from '../fake-model.ts';
import type { IncomingCall } from '../fake-provider.ts';
import { jsonReply, type Reply, type Stream, streamReply } from '../fake-reply.ts';
import {
  allNullable,
  boolean,
  either,
  integer,
  list,
  map,
  number,
  object,
  type Shape,
  text,
} from '../shape.ts';
import { stringsOf } from '../values.ts';
import { badParameter, openAiError, STREAM_ERROR, throwFailure } from './errors.ts';
import type { KinName } from './kin.ts';
import { refuseViolations } from './violations.ts';
import { writeUsage } from './writing.ts';

/** OpenAI's own models of the endpoint, and no others ("Legacy Completions"). */
export const COMPLETION_MODELS: readonly string[] = ['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002'];

/** Which of the kin have the endpoint, by their API references (see their declarations). */
export const COMPLETES: ReadonlySet<KinName> = new Set<KinName>([
  ...(['alibaba', 'cerebras', 'deepseek', 'fireworks', 'lmstudio'] as const),
  ...(['nvidia', 'ollama', 'openrouter', 'together', 'vllm', 'xai'] as const),
]);

/** DeepSeek, "FIM Completion (Beta)": base URL https://api.deepseek.com/beta. */
export function hasCompletionsAt(path: string, kin: KinName | undefined): boolean {
  if (kin !== undefined && !COMPLETES.has(kin)) return false;
  return path === (kin === 'deepseek' ? '/beta/completions' : '/v1/completions');
}

const TOKENS = list(integer({ min: 0 }), { minItems: 1 });

/** OpenAI API reference (create completion). */
const REQUEST: Shape = object(
  {
    model: text(),
    prompt: either(text(), list(either(text(), integer({ min: 0 }), TOKENS), { minItems: 1 })),
  },
  allNullable({
    best_of: integer({ min: 0, max: 20 }),
    echo: boolean,
    frequency_penalty: number({ min: -2, max: 2 }),
    logit_bias: map(number({ min: -100, max: 100 })),
    logprobs: integer({ min: 0, max: 5 }),
    max_tokens: integer({ min: 0 }),
    n: integer({ min: 1, max: 128 }),
    presence_penalty: number({ min: -2, max: 2 }),
    seed: integer(),
    stop: either(text(), list(text(), { maxItems: 4 })),
    stream: boolean,
    stream_options: object({}, { include_usage: boolean, include_obfuscation: boolean }),
    suffix: text(),
    temperature: number({ min: 0, max: 2 }),
    top_p: number({ min: 0, max: 1 }),
    user: text(),
  }),
);

/** One answer after another, `n` for each prompt. */
export function answerCompletions(
  call: IncomingCall,
  body: JsonValue | undefined,
  { isOwn, id }: { isOwn: boolean; id: string },
): Reply {
  if (!isObject(body) || typeof body['model'] !== 'string')
    throw badParameter('you must provide a model parameter', null);
  const { model } = body;
  if (isOwn && !COMPLETION_MODELS.includes(model)) throw notCompletions();
  refuseViolations(body, REQUEST);
  refuseRules(body);
  const prompts = promptsOf(body['prompt']);
  const answers = prompts.map((prompt) => runModel(readRequest(body, prompt), call.behaviour));
  for (const { disruption } of answers) throwFailure(disruption);
  const [first] = answers;
  if (!first) throw badParameter('no prompt', 'prompt');
  const usage = { ...first.usage };
  for (const answer of answers.slice(1)) {
    usage.input += answer.usage.input;
    usage.output += answer.usage.output;
  }
  const choices = answers.flatMap((answer, at) =>
    answer.choices.map((choice) => ({ prompt: prompts[at] ?? '', choice })),
  );
  const said = { id, object: 'text_completion', created: 1_754_688_908, model };
  const reply =
    body['stream'] === true
      ? streamReply(writeStream(said, choices, body, usage), first.disruption, {
          'content-type': 'text/event-stream; charset=utf-8',
        })
      : jsonReply(
          {
            ...said,
            choices: first.disruption.empty
              ? []
              : choices.map(({ prompt, choice }, index) => ({
                  text: (body['echo'] === true ? prompt : '') + choice.text,
                  index,
                  logprobs: writeLogprobs(choice.text, body),
                  finish_reason: finishOf(choice),
                })),
            usage: writeUsage(usage),
          },
          first.disruption,
          {},
        );
  return { ...reply, usage };
}

/** What the endpoint says of a chat model (public reports of the two messages are many). */
function notCompletions(): Error {
  return openAiError(
    404,
    'This is a chat model and not supported in the v1/completions endpoint. Did you mean to use v1/chat/completions?',
    { param: 'model' },
  );
}

/** The same of the other endpoint. */
export function notChat(): Error {
  return openAiError(
    404,
    'This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?',
    { param: 'model' },
  );
}

function refuseRules(body: JsonObject): void {
  if (typeof body['best_of'] === 'number' && body['best_of'] > 1 && body['stream'] === true)
    throw badParameter('Results cannot be streamed when best_of > 1', 'best_of');
  if (isObject(body['stream_options']) && body['stream'] !== true)
    throw badParameter(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      'stream_options',
    );
}

function promptsOf(prompt: JsonValue | undefined): string[] {
  if (!Array.isArray(prompt)) return [String(prompt)];
  if (prompt.every((token) => typeof token === 'number')) return [prompt.join(' ')];
  return prompt.map((one) => (Array.isArray(one) ? one.join(' ') : String(one)));
}

function readRequest(body: JsonObject, prompt: string): Parameters<typeof runModel>[0] {
  const limit = body['max_tokens'];
  return {
    system: [],
    turns: [{ ...emptyTurn('user'), texts: [prompt] }],
    tools: [],
    toolChoice: 'auto',
    parallelCalls: true,
    reasoning: 'off',
    stop: typeof body['stop'] === 'string' ? [body['stop']] : stringsOf(body['stop']),
    choices: typeof body['n'] === 'number' ? body['n'] : 1,
    ...(typeof limit === 'number' ? { maxOutputTokens: limit } : {}),
  };
}

function finishOf({ finish }: ModelChoice): string {
  if (finish === 'length') return 'length';
  return finish === 'blocked' ? 'content_filter' : 'stop';
}

function writeLogprobs(said: string, { logprobs }: JsonObject): JsonObject | null {
  if (typeof logprobs !== 'number') return null;
  const tokens = piecesOf(said);
  let offset = 0;
  const offsets = tokens.map((token) => {
    offset += token.length;
    return offset - token.length;
  });
  return {
    tokens,
    text_offset: offsets,
    token_logprobs: tokens.map(() => -0.25),
    top_logprobs: tokens.map((token) => (logprobs > 0 ? { [token]: -0.25 } : {})),
  };
}

function writeStream(
  said: JsonObject,
  choices: { prompt: string; choice: ModelChoice }[],
  body: JsonObject,
  usage: ModelAnswer['usage'],
): Stream {
  const { stream_options: options } = body;
  const wantsUsage = isObject(options) && options['include_usage'] === true;
  const chunk = (listed: JsonObject[], told: JsonObject | null = null): string =>
    `data: ${JSON.stringify({ ...said, choices: listed, ...(wantsUsage ? { usage: told } : {}) })}\n\n`;
  const frames: Stream['frames'] = [];
  for (const [index, { prompt, choice }] of choices.entries()) {
    const pieces = [...(body['echo'] === true ? [prompt] : []), ...piecesOf(choice.text)];
    for (const piece of pieces) {
      const logprobs = writeLogprobs(piece, body);
      frames.push({ part: 'output', text: chunk([{ text: piece, index, logprobs, finish_reason: null }]) });
    }
    const end = { text: '', index, logprobs: null, finish_reason: finishOf(choice) };
    frames.push({ part: index === choices.length - 1 ? 'end' : 'output', text: chunk([end]) });
  }
  if (wantsUsage) frames.push({ part: 'end', text: chunk([], writeUsage(usage)) });
  frames.push({ part: 'end', text: 'data: [DONE]\n\n' });
  return { frames, error: `data: ${JSON.stringify(STREAM_ERROR)}\n\n` };
}
