/**
 * Where the same request cannot have the same result from every kind of provider, with the reason. What is not in
 * this table is the same for all of them.
 */
export const DIFFERENCES = {
  /** Whether a model can be asked for any JSON object. */
  hasJsonMode: {
    reason:
      'Anthropic has no JSON mode: the model is told in the system prompt, which the fake model does not obey.',
    openai: true,
    anthropic: false,
    gemini: true,
  },
  /** Whether several choices can be asked for. */
  hasChoices: {
    reason: 'Anthropic gives one answer to a request.',
    openai: true,
    anthropic: false,
    gemini: true,
  },
  /** What `parallel_tool_calls: false` does to a model that wants to call twice. */
  singleCall: {
    reason: 'Gemini has no such parameter.',
    openai: { calls: 1, dropped: null },
    anthropic: { calls: 1, dropped: null },
    gemini: { calls: 2, dropped: 'parallel_tool_calls' },
  },
  /** A parameter that no dialect knows. */
  unknownParameter: {
    reason: 'OpenAI refuses it; what another dialect cannot say is dropped and named.',
    openai: { status: 400, dropped: null },
    anthropic: { status: 200, dropped: 'made_up' },
    gemini: { status: 200, dropped: 'made_up' },
  },
  /** Whether a stream says that it is whole before its last event. */
  endsBeforeLastEvent: {
    reason: 'The last event of a Gemini stream is the one with the finish reason.',
    openai: true,
    anthropic: true,
    gemini: false,
  },
  // Inputs that a model takes (`true`), or the parameter that its 400 names.
  storedFile: {
    reason: 'A file in the store of one provider is not in the store of another.',
    openai: true,
    anthropic: { param: 'messages[0].content[1]' },
    gemini: { param: 'messages[0].content[1]' },
  },
  wordDocument: {
    reason: 'Anthropic and Gemini read PDF and text; the latter is asked, and its answer names no parameter.',
    openai: true,
    anthropic: { param: 'messages[0].content[1]' },
    gemini: { param: null },
  },
  sound: {
    reason: 'Claude does not hear, and of the GPT models only those for audio do.',
    openai: { param: 'messages[0]' },
    anthropic: { param: 'messages[0].content[1]' },
    gemini: true,
  },
  addressWithoutType: {
    reason: 'Gemini wants to be told what kind of thing is behind an address.',
    openai: true,
    anthropic: true,
    gemini: { param: 'messages[0].content[1]' },
  },
  /** What a model sees of an image that a tool returned; `undefined`: it refuses the message. */
  imageInToolResult: {
    reason: 'OpenAI takes no image from a tool, and its requests pass through as they are.',
    openai: { model: 'openai/gpt-4.1', seen: undefined },
    anthropic: {
      model: 'anthropic/claude-sonnet-4-5',
      seen: 'Tool said: a photo image image/png 68 bytes',
    },
    gemini: {
      model: 'gemini/gemini-3-flash-preview',
      seen: 'Tool said: a photo image image/png 68 bytes',
    },
  },
  /** What is said of `image_url.detail`. */
  imageDetail: {
    reason: 'Only OpenAI has the parameter.',
    openai: null,
    anthropic: 'messages[0].content[0].image_url.detail',
    gemini: 'messages[0].content[0].image_url.detail',
  },
  /** `finish_reason` and `refusal` of an answer that the model refused to give. */
  refusal: {
    reason: 'Gemini stops an answer without words; OpenAI and Anthropic word their refusals.',
    openai: { finish: 'stop', refusal: 'I cannot help with that.' },
    anthropic: { finish: 'content_filter', refusal: 'I cannot help with that.' },
    gemini: { finish: 'content_filter', refusal: null },
  },
};
