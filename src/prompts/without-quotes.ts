import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import type { Extra } from '../conversation/conversation.ts';
import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { InvalidOutput } from '../conversation/invalid-output.ts';
import type { JsonValue } from '../conversation/json.ts';
import { nameForeignFields } from '../dialects/foreign-answers.ts';

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

/**
 * The same answer with no more of what its provider says beside it, in fields of its own, than words and numbers (`service_tier`): some
 * servers repeat there what they were sent. What is left out is named in `dropped`, as far as that says something.
 */
export function withoutExtras(completion: Completion, dropped: string[]): Completion {
  const { extra, choices, ...own } = completion;
  const [kept, left] = sortFields(extra);
  const sorted = choices.map(({ extra, ...choice }) => ({ choice, fields: sortFields(extra) }));
  const leftOut = sorted.map(({ choice, fields: [, left] }) => ({ ...choice, parts: [], ...left }));
  nameForeignFields(dropped, { ...own, choices: leftOut, ...left }, undefined);
  return { ...own, choices: sorted.map(({ choice, fields: [kept] }) => ({ ...choice, ...kept })), ...kept };
}

/** Events of a stream, without quotes and such fields. */
export function withoutQuotesOrExtras(event: CompletionEvent): CompletionEvent {
  switch (event.type) {
    case 'error':
      return { ...event, error: withoutQuotes(event.error) };
    case 'start':
    case 'finish':
    case 'end': {
      const { extra, ...own } = event;
      const [kept] = sortFields(extra);
      return { ...own, ...kept };
    }
    default:
      return event;
  }
}

type Fields = { extra?: Extra };

/** Those that quote nothing, and the others. */
function sortFields(extra: Extra | undefined): [Fields, Fields] {
  if (!extra) return [{}, {}];
  const { dialect, fields } = extra;
  const { kept, left } = Object.groupBy(Object.entries(fields), ([, value]) =>
    isHarmless(value) ? 'kept' : 'left',
  );
  return [made(kept), made(left)];

  function made(entries: [string, JsonValue | undefined][] | undefined): Fields {
    return entries === undefined ? {} : { extra: { dialect, fields: Object.fromEntries(entries) } };
  }
}

function isHarmless(value: JsonValue | undefined): boolean {
  return typeof value === 'string' ? WORD.test(value) : typeof value !== 'object' || value === null;
}
