import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Sources: Z.AI API reference (chat completion: `max_tokens`, `tool_choice`) and "Thinking Mode" (thinking goes back with tool
 * results).
 */
export default {
  name: 'zai',
  title: 'Z.AI',
  dialect: 'chat',
  baseUrl: 'https://api.z.ai/api/paas/v4',
  envKeys: ['ZAI_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  lacks: ['embed'],
  // Z.AI API reference, "Generate Image" (glm-image, cogview-4) and "Audio Transcriptions" (glm-asr).
  relays: { image: 'here', transcribe: 'here' },
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      top_k: 'drop',
      // "Only `auto` is supported."
      tool_choice: (choice) => (choice === 'auto' ? 'keep' : 'refuse'),
      reasoning_effort: (effort) =>
        effort === 'none'
          ? { thinking: { type: 'disabled' } }
          : { thinking: { type: 'enabled' }, reasoning_effort: effort },
    },
    instructions: 'system',
    reasoning: 'reasoning_content',
  },
} satisfies ProviderDeclaration;
