import type { DialectName } from '../../src/conversation/conversation.ts';

/**
 * Recorded requests that cannot cross: the other side cannot say what they ask, and the answer would be another without
 * it. Each is refused in words that this matches, as often as it says.
 */
export interface RefusalRule {
  message: RegExp;
  /** Whose words it was; absent: anyone's. */
  from?: readonly DialectName[];
  /** The dialect that it could not be said in; absent: any. */
  via?: readonly DialectName[];
  count: number;
  reason: string;
}

export const REFUSAL_RULES: readonly RefusalRule[] = [
  {
    message: /^'(background|conversation|previous_response_id|container|cachedContent)' cannot be honoured/,
    count: 84,
    reason: 'Only the provider that it was made for keeps what these name.',
  },
  {
    message: /^'moderation' cannot be honoured/,
    from: ['responses'],
    count: 4,
    reason: 'Nobody else blocks what a model of OpenAI’s finds to be blocked.',
  },
  {
    message: /is of the type '\w+', which only the provider can read that has it/,
    count: 68,
    reason:
      'It stands for messages that nobody else can read, is what a client’s own tool of that provider answered, or tools that are offered, or changed, midway.',
  },
  {
    message: /is a name that the gateway needs itself/,
    from: ['gemini'],
    via: ['messages', 'converse'],
    count: 2,
    reason:
      'The tool that stands for a JSON answer has this name, on the way back it looks like a caller’s own.',
  },
  {
    message: /is the user's last turn and says nothing that could be answered/,
    count: 12,
    reason: 'Other providers take no empty turn, and without it the last answer would go on instead.',
  },
  {
    message: /takes no such input: a URL other than 's3:/,
    via: ['converse'],
    count: 36,
    reason: 'Bedrock fetches nothing from the web.',
  },
  {
    message: /takes no such input: (?:a file|an image) of this type/,
    via: ['converse'],
    count: 8,
    reason: 'Bedrock takes documents and images of some types only.',
  },
  {
    message: /takes no such input: (?:audio|a URL of a file of type 'video)/,
    via: ['messages'],
    count: 22,
    reason: 'Claude hears nothing and sees no videos.',
  },
  {
    message: /takes no such input: media at such an address/,
    via: ['messages'],
    count: 5,
    reason: 'A bucket of another cloud.',
  },
  {
    message: /takes no such input: a file by its id in the store of another/,
    from: ['chat', 'responses'],
    via: ['messages'],
    count: 5,
    reason: 'Each provider has a store of its own:',
  },
  {
    message: /names a file in another provider's store/,
    count: 48,
    reason: 'the same,',
  },
  {
    message:
      /^(?:'[^']+': )?(?:(?:A file|An image) in another provider's file store|An image given by a file id)/,
    from: ['messages', 'responses'],
    via: ['chat', 'responses'],
    count: 8,
    reason: 'the same.',
  },
  {
    message: /^(?:'[^']+': )?(?:A file|Audio) given by its URL/,
    count: 32,
    reason:
      'OpenAI fetches images only, in files of Chat Completions and in audio; Google tells no type of an address.',
  },
  {
    message: /^'[^']+' answers '[^']+' of the type/,
    from: ['responses'],
    via: ['messages', 'gemini', 'converse'],
    count: 3,
    reason: 'The call that it answers is in what only OpenAI keeps.',
  },
];

/** Recorded answers that are none: the provider broke them off, or they were still under way. */
export const FAILED_ANSWERS: readonly { id: RegExp; message: RegExp }[] = [
  { id: /test_groq\/test_tool_use_failed_error_streaming#0$/, message: /^Tool call validation failed/ },
  { id: /test_openrouter\/test_openrouter_stream_error#0$/, message: /^Token limit reached$/ },
  { id: /test_openai_responses\/test_background_mode_.*$/, message: /not over yet/ },
];
