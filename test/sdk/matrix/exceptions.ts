import type { CallerDialectName } from '../../../src/dialects/dialect.ts';
import type { Feature } from '../features.ts';

/** Cells in which a feature is not there as it is elsewhere. The matrix fails where one of them is no exception any more. */
export interface Exception {
  providers: readonly string[];
  features: readonly Feature[];
  /** By door; those that are not named have no exception. */
  outcome: Partial<Record<CallerDialectName, string>>;
  reason: string;
}

function everywhere(outcome: string): Record<CallerDialectName, string> {
  return { chat: outcome, responses: outcome, messages: outcome, gemini: outcome };
}

/** Servers of OpenAI's kin whose documentation has no field for thoughts that go back. */
const WITHOUT_REPLAY = ['openai-compatible', 'together', 'nvidia', 'huggingface', 'lmstudio'];

export const EXCEPTIONS: readonly Exception[] = [
  {
    providers: ['openai', 'azure-openai'],
    features: ['reasoning'],
    outcome: {
      chat: 'not shown',
      messages: 'not shown',
      gemini: 'not shown',
    },
    reason:
      'OpenAI shows what its models think in the Responses API alone, which is spoken with callers who speak it and for models that have no other. Tool loops go on without it.',
  },
  {
    providers: ['openai-responses', 'azure-openai-responses'],
    features: ['reasoning'],
    outcome: { chat: 'not shown' },
    reason:
      'OpenAI makes a summary of what its models think for those who ask to see it, which callers of Chat Completions do with `reasoning: { exclude: false }`. Tool loops go on without it.',
  },
  {
    providers: ['gemini', 'vertex-gemini'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: messages[].reasoning_content',
      responses: 'dropped: input[]',
      messages: 'dropped: messages[].content[]',
    },
    reason:
      'Gemini wants the signatures of its thoughts back, which it gets, and not their text. What is dropped is the text that a client sends back.',
  },
  {
    providers: WITHOUT_REPLAY,
    features: ['reasoning'],
    outcome: {
      responses: 'dropped: input[]',
      messages: 'dropped: messages[].content[]',
      gemini: 'dropped: contents[].parts[]',
    },
    reason:
      'Thoughts are shown; the provider documents no field in which they would go back. Callers of Chat Completions send theirs as they are.',
  },
  {
    providers: ['mistral'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: reasoning_effort=high',
      responses: 'dropped: reasoning.effort=high',
      messages: 'dropped: thinking.budget_tokens=high',
      gemini: 'dropped: generationConfig.thinkingConfig.thinkingBudget=high',
    },
    reason:
      'Mistral’s models but Large 4 know two efforts, `none` and `high`: callers who ask for another are told. (Thoughts go back.)',
  },
  {
    providers: ['cohere'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: reasoning_effort=high',
      responses: 'dropped: input[], reasoning.effort=high',
      messages: 'dropped: messages[].content[], thinking.budget_tokens=high',
      gemini: 'dropped: contents[].parts[], generationConfig.thinkingConfig.thinkingBudget=high',
    },
    reason:
      'Cohere documents no field in which thoughts would go back. It knows two efforts, `none` and `high`: callers who ask for another are told.',
  },
  {
    providers: ['alibaba'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: reasoning_effort=enabled',
      responses: 'dropped: input[], reasoning.effort=enabled',
      messages: 'dropped: messages[].content[], thinking.budget_tokens=enabled',
      gemini: 'dropped: contents[].parts[], generationConfig.thinkingConfig.thinkingBudget=enabled',
    },
    reason:
      'Alibaba documents no field in which thoughts would go back. Its models can only be told whether to think: callers who ask for a level are told.',
  },
  {
    providers: ['moonshot'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: reasoning_effort=enabled',
      responses: 'dropped: reasoning.effort=enabled',
      messages: 'dropped: thinking.budget_tokens=enabled',
      gemini: 'dropped: generationConfig.thinkingConfig.thinkingBudget=enabled',
    },
    reason: 'Kimi K2 can only be told whether to think: callers who ask for a level are told.',
  },
  {
    providers: ['xai'],
    features: ['reasoning'],
    outcome: {
      chat: 'dropped: reasoning_effort',
      responses: 'dropped: input[], reasoning.effort',
      messages: 'dropped: messages[].content[], thinking',
      gemini: 'dropped: contents[].parts[], generationConfig.thinkingConfig',
    },
    reason:
      'Grok 4 thinks as much as it finds right: it refuses to be told how much. xAI documents no field in which thoughts would go back.',
  },
  {
    providers: ['deepseek'],
    features: ['structured output'],
    outcome: {
      chat: 'refused: response_format',
      responses: 'refused: text.format',
      messages: 'refused: output_config.format',
      gemini: 'refused: generationConfig.responseJsonSchema',
    },
    reason: 'DeepSeek has a JSON mode and no schemas.',
  },
  {
    providers: ['perplexity'],
    features: ['one tool', 'parallel tools', 'tool results', 'reasoning'],
    outcome: everywhere('refused: tools'),
    reason:
      'Perplexity’s models call no tools. (They think, and show it: the round trip of thoughts is one with tools.)',
  },
  {
    providers: ['perplexity'],
    features: ['stop reason'],
    outcome: {
      responses: 'dropped: answer.annotations',
      messages: 'dropped: answer.annotations',
      gemini: 'dropped: answer.annotations',
    },
    reason:
      'Perplexity names its sources also where a filter left no text: elsewhere there is nothing that they could stand by.',
  },
  {
    providers: ['cohere'],
    features: ['usage'],
    outcome: everywhere('dropped: stream_options'),
    reason:
      'Cohere refuses to be asked for the usage of a stream, and does not tell it unasked: it is estimated, and marked so in the usage record. It is named where the caller asked for it. Whole answers have it.',
  },
];
