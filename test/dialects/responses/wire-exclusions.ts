import type { Exclusion } from '../../support/wire-diff.ts';

export type Scope = 'request' | 'answer' | 'stream';

/** Fields of a response that OpenAI always writes and other servers, or older recordings, leave out. */
const REPEATED = [
  'background',
  'error',
  'incomplete_details',
  'instructions',
  'max_output_tokens',
  'max_tool_calls',
  'metadata',
  'parallel_tool_calls',
  'previous_response_id',
  'prompt_cache_key',
  'reasoning',
  'safety_identifier',
  'service_tier',
  'store',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_logprobs',
  'top_p',
  'truncation',
  'user',
];

const RE_ENCRYPTED = 'OpenAI encrypts the same content anew for each event that holds it.';
const LEFT_OUT = 'The recording leaves items out of the whole response that were in its stream.';
const ROTATED = 'Copilot gives every event another id.';

/** All that may change when a recording is decoded and encoded again. One that covers nothing fails the test. */
export const WIRE_EXCLUSIONS: readonly (Exclusion & { scope: Scope })[] = [
  {
    scope: 'request',
    path: 'stream',
    before: false,
    reason: 'Not to stream is the default; it is not written.',
  },
  {
    scope: 'request',
    path: 'input',
    change: 'changed',
    reason:
      'A text is written as the one message of the user that it is (the test sees that it is the same).',
  },
  { scope: 'request', path: 'input[].encrypted_content', before: null, reason: 'Null is absence.' },
  { scope: 'request', path: 'tools[].description', before: null, reason: 'Null is absence.' },
  { scope: 'request', path: 'previous_response_id', before: null, reason: 'Null is absence.' },

  ...REPEATED.map((path) => ({
    scope: 'answer' as const,
    path,
    change: 'added' as const,
    reason: 'Clients have it required; it is written with what it means to say nothing.',
  })),
  {
    scope: 'answer',
    path: 'status',
    before: 'complete',
    reason: 'Two recordings were written by hand, with a word that the API does not have.',
  },
  {
    scope: 'answer',
    path: 'output[].content[].logprobs',
    change: 'added',
    reason: 'OpenAI writes an empty list; other servers, and Azure, leave it out.',
  },
  {
    scope: 'answer',
    path: 'usage.input_tokens_details.cache_write_tokens',
    before: 0,
    reason: 'Few servers know it; it is written where there is something to say.',
  },

  { scope: 'stream', path: 'choices[].parts[].encrypted.value', change: 'changed', reason: RE_ENCRYPTED },
  { scope: 'stream', path: 'choices[].parts[].value.fingerprint', change: 'changed', reason: RE_ENCRYPTED },
  { scope: 'stream', path: 'id', change: 'changed', reason: ROTATED },
  { scope: 'stream', path: 'choices[].parts[].extra.fields.item.id', change: 'changed', reason: ROTATED },
  { scope: 'stream', path: 'choices[].parts[]', change: 'added', reason: LEFT_OUT },
];
