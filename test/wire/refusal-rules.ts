/**
 * Recorded requests that cannot cross: the other side cannot say what they ask, and the answer would be another without
 * it. Each is refused in words that this matches. A rule that nothing needs any more fails the test.
 */
export const REFUSAL_RULES: readonly { message: RegExp; reason: string }[] = [
  {
    message: /^'(background|conversation|previous_response_id|container|cachedContent)' cannot be honoured/,
    reason: 'Only the provider that it was made for keeps what these name.',
  },
  {
    message: /is of the type '\w+', which only the provider can read that has it/,
    reason:
      'It stands for messages that nobody else can read, is what a client’s own tool of that provider answered, or a change of tools midway.',
  },
  {
    message: /^'(stop|stop_sequences|generationConfig\.stopSequences)' cannot be expressed/,
    reason: 'The Responses API has no stop sequences.',
  },
  {
    message:
      /takes no such input|names a file in another provider's store|file store|by its URL|given by a file id/i,
    reason: 'Media in a form, of a type or at a place that the other API does not take.',
  },
  {
    message: /answers the tool call|no call before it has this id/,
    reason: 'The call that it answers is in what only OpenAI keeps.',
  },
];

/** Recorded answers that are none: the provider broke them off, or they were still under way. */
export const FAILED_ANSWERS: readonly { id: RegExp; message: RegExp }[] = [
  { id: /test_groq\/test_tool_use_failed_error_streaming#0$/, message: /^Tool call validation failed/ },
  { id: /test_openrouter\/test_openrouter_stream_error#0$/, message: /^Token limit reached$/ },
  { id: /test_openai_responses\/test_background_mode_.*$/, message: /not over yet/ },
];
