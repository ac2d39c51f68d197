import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { admitCall } from '../gateway/admit.ts';
import type { EarlierAnswer } from '../gateway/answer-kept.ts';
import type { Call } from '../gateway/call.ts';
import { readSubject } from '../gateway/choose-side.ts';
import { parseBody } from '../gateway/parse-body.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { encodeError } from '../prompts/answer.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { REQUEST_FORMS, type RequestForm, readModelRequest } from '../prompts/model-request.ts';
import type { PromptBook } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { openPrompt, retiredPrompt } from './open-prompt.ts';
import type { PromptCache } from './prompt-cache.ts';
import { PromptDoors, recordedName } from './prompt-formats.ts';
import { preparePrompt } from './prompt-sides.ts';

/** Whom no list of prompts binds. */
const ANYBODY = { mayPrompt: () => true };

/** Prompts as models of OpenAI's APIs: `model: "prompt/NAME"`. */
export class PromptModels {
  readonly #prompts: Pick<PromptBook, 'open' | 'record'>;
  readonly #cache: PromptCache;
  readonly #doors = new PromptDoors();

  constructor(prompts: Pick<PromptBook, 'open' | 'record'>, cache: PromptCache) {
    this.#prompts = prompts;
    this.#cache = cache;
  }

  /**
   * Makes a call that names a prompt as its model the call of the prompt's own model. Gives the answer that is kept for it, if there is one.
   *
   * @throws GatewayError `invalid_request`, `not_found`
   */
  async admit(call: Call): Promise<EarlierAnswer | undefined> {
    const { dialect, operation, completesText } = call.door;
    const form: RequestForm | undefined =
      operation === 'generate' && !completesText && !call.address
        ? (REQUEST_FORMS as Record<string, RequestForm>)[dialect.name]
        : undefined;
    if (!form)
      throw invalidRequest(
        'A prompt is called as a model at /v1/chat/completions and /v1/responses alone; at /v1/prompts/NAME it is an endpoint.',
        'model',
        'unsupported_operation',
      );
    const { snapshot, caller, stream, door: own, model = '' } = call;
    // Each fault of an input, and what to call instead, as the endpoint says it.
    call.door = { ...own, dialect: { ...dialect, encodeError } };
    const { promptModel } = snapshot;
    const asked = parseBody(call.body);
    const prepared = await preparePrompt(
      {
        ...{ prompts: this.#prompts, snapshot, caller, reference: model.slice(PROMPT_PREFIX.length) },
        subject: () => readSubject(caller, call.response.req.headers, asked),
      },
      async (prompt) => {
        const { input, overrides, carried } = readModelRequest(prompt, form, asked);
        const chatRequest = await makeChatRequest(prompt, { input, overrides, stream }, promptModel);
        const body = Buffer.from(JSON.stringify({ ...carried, ...chatRequest }));
        const door = this.#doors.find(prompt, dialect.name) ?? own;
        const prepare = this.#cache.prepareFor({ prompt, chatRequest });
        return { prompt, door, chatRequest, body, caller: forPrompt(caller, prompt, promptModel), prepare };
      },
    );
    call.caller = prepared.caller;
    call.body = prepared.body;
    call.door = prepared.door;
    call.rollout = prepared.rollout;
    admitCall(call);
    return prepared.prepare?.(call);
  }

  /**
   * What a prompt makes of an input of the gateway's own. `fallback`: the model of prompts that name none.
   *
   * @throws GatewayError `not_found`, `invalid_request`
   */
  async ask(
    reference: string,
    input: JsonObject,
    fallback: string | undefined,
  ): Promise<{ request: JsonObject; prompt: string }> {
    const found = await openPrompt(this.#prompts, ANYBODY, reference);
    if (found.state === 'retired') throw retiredPrompt(found);
    const { prompt } = found;
    const request = await makeChatRequest(prompt, { input, overrides: {}, stream: false }, fallback);
    return { request, prompt: recordedName(prompt.version) };
  }
}

/** Who may call a prompt may have it call the model that it names. */
export function forPrompt(caller: Caller, { model }: Prompt, fallback: string | undefined): Caller {
  const own = model ?? fallback;
  return { ...caller, mayCall: (name) => name === own || caller.mayCall(name) };
}
