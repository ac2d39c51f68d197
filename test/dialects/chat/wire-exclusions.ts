import type { Exclusion } from '../../support/wire-diff.ts';

export type Scope = 'request' | 'answer';

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
    path: 'stream_options',
    change: 'added',
    reason: 'Usage is always asked for: without it a stream cannot be accounted.',
  },
  { scope: 'request', path: 'tools', change: 'lost', reason: 'An empty list is what absence says too.' },
  {
    scope: 'request',
    path: 'tools[].type',
    change: 'added',
    reason: "Mistral's client leaves out that a tool is a function; its API takes it said.",
  },
  { scope: 'request', path: 'tool_choice.type', change: 'added', reason: 'As for the tools themselves.' },
  {
    scope: 'request',
    path: 'messages[].content',
    change: 'changed',
    reason: 'A list of one plain text is written as that text (the test sees that it is the same).',
  },
  {
    scope: 'request',
    path: 'messages[].content',
    change: 'added',
    reason: 'OpenAI wants null in a message of tool calls alone; absence is read as the same.',
  },
  { scope: 'request', path: 'messages[].name', before: null, reason: 'Null is absence.' },
  { scope: 'request', path: 'messages[].tool_calls', change: 'lost', reason: 'Null or empty is absence.' },
  {
    scope: 'request',
    path: 'messages[].content[].thinking[].text',
    change: 'changed',
    reason: 'The texts of one thinking chunk of Mistral are one reasoning: they are joined.',
  },
  {
    scope: 'request',
    path: 'messages[].content[].thinking[]',
    change: 'lost',
    reason: 'Joined into the first.',
  },

  {
    scope: 'answer',
    path: 'choices[].logprobs',
    change: 'added',
    reason: "OpenAI's clients have it required, as null where there are none; other servers leave it out.",
  },
  { scope: 'answer', path: 'choices[].message.refusal', change: 'added', reason: 'As for logprobs.' },
  { scope: 'answer', path: 'choices[].message.content', change: 'added', reason: 'As for logprobs.' },
  {
    scope: 'answer',
    path: 'choices[].message.content',
    before: '',
    reason: 'Beside tool calls OpenAI says null for no text; others say the empty text.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.content',
    change: 'changed',
    reason:
      "Mistral's list of thinking and text: the text is content, as clients expect, and the rest reasoning.",
  },
  {
    scope: 'answer',
    path: 'choices[].message.reasoning',
    change: 'lost',
    reason: 'Reasoning has one name towards clients: it is written as reasoning_content.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.reasoning_content',
    change: 'added',
    reason: 'The other side of the same.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.annotations',
    change: 'lost',
    reason: 'An empty list is what absence says too.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.tool_calls',
    change: 'lost',
    reason: 'Null or empty is absence.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.tool_calls[].type',
    change: 'added',
    reason: 'Mistral leaves out that a call is of a function.',
  },
  {
    scope: 'answer',
    path: 'choices[].message.tool_calls[].function.arguments',
    change: 'added',
    reason: 'A server left out the arguments of a call without any; clients need JSON.',
  },
  {
    scope: 'answer',
    path: 'usage.prompt_tokens_details',
    change: 'added',
    reason: 'Counts that a server does not say are 0.',
  },
  { scope: 'answer', path: 'usage.prompt_tokens_details.*', change: 'added', reason: 'The same.' },
  { scope: 'answer', path: 'usage.completion_tokens_details', change: 'added', reason: 'The same.' },
  { scope: 'answer', path: 'usage.completion_tokens_details.*', change: 'added', reason: 'The same.' },
  {
    scope: 'answer',
    path: 'usage.prompt_tokens_details.cache_write_tokens',
    before: 0,
    reason: 'Few servers know it; it is written where there is something to say.',
  },
  {
    scope: 'answer',
    path: 'usage.prompt_tokens_details.cache_write_tokens',
    before: 2161,
    reason: 'OpenRouter counted 2161 of 2168 tokens both as read from and as written to the cache.',
  },
  {
    scope: 'answer',
    path: 'usage.completion_tokens',
    change: 'changed',
    reason:
      'xAI counts reasoning beside completion_tokens; OpenAI, and so we, inside. The total is the same.',
  },
];
