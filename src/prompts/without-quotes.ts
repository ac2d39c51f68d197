import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { InvalidOutput } from '../conversation/invalid-output.ts';

/** What a provider says may quote what it was sent, and that is the prompt, which its callers never see. */
const OF_PROVIDERS: Partial<Record<ErrorKind, string>> = {
  upstream_rejected: 'The provider refused what the prompt makes of this input.',
  upstream_unavailable: 'The provider could not answer.',
  upstream_rate_limited: 'The provider limits the rate of calls.',
  upstream_timeout: 'The provider did not answer in time.',
};

/** Our own errors that quote an id or an address, which may stand in the prompt, by their codes. */
const OF_IDS: Readonly<Record<string, string>> = {
  object_not_found:
    'The prompt, or this input, names something that is not there, or that this key may not use.',
  held_elsewhere: 'The prompt, or this input, names something that the model of the prompt cannot reach.',
};

/** A code is a word, not a sentence. */
const WORD = /^[\w.:-]{1,64}$/;

/** The same error in our words alone, where its own may be the prompt's. */
export function withoutQuotes(error: GatewayError): GatewayError {
  const { kind, status, code, retryAfterMs, retryable } = error;
  const ofProvider = error instanceof InvalidOutput ? undefined : OF_PROVIDERS[kind];
  const message = ofProvider ?? (code === undefined ? undefined : OF_IDS[code]);
  if (message === undefined) return error;
  const word = code !== undefined && WORD.test(code) ? code : undefined;
  return new GatewayError(kind, message, { status, code: word, retryAfterMs, retryable });
}

/** The same answer without what its provider says beside it in fields of its own: some servers repeat there what they were sent. */
export function withoutExtras({ extra: _, choices, ...completion }: Completion): Completion {
  return { ...completion, choices: choices.map(({ extra: _, ...choice }) => choice) };
}

/** Both of an event of a stream. */
export function withoutQuotesOrExtras(event: CompletionEvent): CompletionEvent {
  switch (event.type) {
    case 'error':
      return { ...event, error: withoutQuotes(event.error) };
    case 'start':
    case 'finish':
    case 'end': {
      const { extra: _, ...own } = event;
      return own;
    }
    default:
      return event;
  }
}
