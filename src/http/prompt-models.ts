import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { admitCall } from '../gateway/admit.ts';
import type { EarlierAnswer } from '../gateway/answer-kept.ts';
import type { Call } from '../gateway/call.ts';
import { parseBody } from '../gateway/parse-body.ts';
import type { Caller } from '../gateway/snapshot.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { REQUEST_FORMS, type RequestForm, readModelRequest } from '../prompts/model-request.ts';
import type { PromptBook, PublishedPrompt } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { openPrompt, retiredPrompt } from './open-prompt.ts';
import type { PromptCache } from './prompt-cache.ts';
import { PromptDoors } from './prompt-formats.ts';

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
    const prompt = await this.#open(call);
    const { input, overrides, carried } = readModelRequest(prompt, form, parseBody(call.body));
    const { promptModel } = call.snapshot;
    const chatRequest = await makeChatRequest(prompt, { input, overrides, stream: call.stream }, promptModel);
    call.caller = forPrompt(call.caller, prompt, promptModel);
    call.body = Buffer.from(JSON.stringify({ ...carried, ...chatRequest }));
    call.door = this.#doors.find(prompt, dialect.name) ?? call.door;
    admitCall(call);
    return this.#cache.findOrWatch(call, { prompt, chatRequest });
  }

  async #open({ model = '', caller }: Call): Promise<PublishedPrompt> {
    const found = await openPrompt(this.#prompts, caller, model.slice(PROMPT_PREFIX.length));
    if (found.state === 'retired') throw retiredPrompt(found);
    return found.prompt;
  }
}

/** Who may call a prompt may have it call the model that it names. */
export function forPrompt(caller: Caller, { model }: Prompt, fallback: string | undefined): Caller {
  const own = model ?? fallback;
  return { ...caller, mayCall: (name) => name === own || caller.mayCall(name) };
}
