import { CARRIED_MARKER } from '../../src/conversation/carried-reasoning.ts';
import type { DialectName } from '../../src/conversation/conversation.ts';
import type { Difference, Exclusion } from '../support/wire-diff.ts';

/**
 * All that may be lost when what was said in one dialect is told in another and told back, with the reason. A rule that
 * nothing needs any more fails the test, and so does a difference that no rule names.
 *
 * Paths are those of `meaning.ts`.
 */
export interface CrossingRule extends Exclusion {
  of: 'request' | 'answer';
  /** The dialects that were crossed to; absent: any. */
  via?: readonly DialectName[];
  /** Whose words it was; absent: anyone's. */
  from?: readonly DialectName[];
  /** Only where this holds. */
  when?: (difference: Difference) => boolean;
}

const REQUEST = { of: 'request' } as const;
const ANSWER = { of: 'answer' } as const;

const isEmpty = ({ before, after }: Difference): boolean => {
  const value = (before ?? after) as { text?: string } | undefined;
  return value?.text?.trim() === '';
};
const textOf = (value: Difference['after']): string => String((value as { text?: string } | undefined)?.text);

/** What encoders say to a model in words of their own. */
const OUR_WORDS = /^(Begin\.|Read the attached document\.|Returned by the tool call .*:)$/;

const ownId = (id: Difference['after']): string =>
  String(id)
    .split(CARRIED_MARKER, 1)
    .join('')
    .replace(/^call_gemini_.*/, 'made here');

const saysSameJson = ({ before, after }: Difference): boolean => {
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  return JSON.stringify(JSON.parse(before)) === JSON.stringify(JSON.parse(after));
};

export const CROSSING_RULES: readonly CrossingRule[] = [
  // What one dialect alone knows.
  {
    ...REQUEST,
    path: '**xtra**',
    reason:
      'Fields that only the caller’s dialect knows: dropped and named, or honoured by the gateway itself.',
  },
  {
    ...REQUEST,
    path: 'said.*.opaque',
    change: 'lost',
    reason: 'Blocks that only one dialect knows: dropped and named.',
  },
  {
    ...REQUEST,
    path: 'said.assistant.text',
    from: ['messages'],
    change: 'added',
    when: ({ after }) => textOf(after).startsWith('Summary: '),
    reason: 'A compaction says in words what stood before it: told as text.',
  },
  {
    ...REQUEST,
    path: 'tool.opaque',
    change: 'lost',
    reason: 'Tools that only one provider runs: dropped and named.',
  },
  {
    ...REQUEST,
    path: 'parallelToolCalls',
    change: 'lost',
    from: ['responses'],
    reason: 'It is said of tools, and those were of another provider and are gone.',
  },
  {
    ...REQUEST,
    path: 'toolChoice',
    change: 'lost',
    reason: 'It is the default, or the tools it chose from are gone.',
  },
  {
    ...REQUEST,
    path: 'said.assistant.reasoning**',
    reason: 'Reasoning that another provider signed, or nobody, is refused by the next: dropped and named.',
  },
  {
    ...REQUEST,
    path: 'said.*.*.signature**',
    reason: 'No other provider can be given it: dropped and named. Gemini gets its documented stand-in.',
  },

  // Ids and spellings.
  {
    ...REQUEST,
    path: 'said.*.*.id',
    via: ['gemini'],
    change: 'changed',
    reason: 'Models before Gemini 3 take no ids of calls; new ones are made that pair calls and results.',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.callId',
    via: ['gemini'],
    change: 'changed',
    reason: 'The same.',
  },
  {
    ...REQUEST,
    path: '**.arguments',
    change: 'changed',
    when: saysSameJson,
    reason: 'Where arguments are an object and no text, white space and order of writing are not said.',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[].text',
    change: 'changed',
    when: saysSameJson,
    reason: 'Gemini’s results are objects: a text that is one is told as one.',
  },

  // Parameters.
  {
    ...REQUEST,
    path: 'parameters.maxOutputTokens',
    reason: 'Where a limit is demanded, or a budget of thinking must fit below it, one is written.',
  },
  { ...REQUEST, path: 'parameters.n', before: 1, reason: 'One choice is what every dialect gives.' },
  ...(
    ['endUser', 'promptCacheKey', 'serviceTier', 'topK', 'logprobs', 'topLogprobs', 'verbosity'] as const
  ).map(
    (key): CrossingRule => ({
      ...REQUEST,
      path: `parameters.${key}`,
      change: 'lost',
      reason: 'Dropped and named where the other dialect has no word for it (`dialects/parameters.ts`).',
    }),
  ),
  {
    ...REQUEST,
    path: 'reasoning**',
    reason:
      'Words and budgets are turned into each other as near as they come; what says the default is not said.',
  },

  // Structured output.
  {
    ...REQUEST,
    path: 'responseFormat.name',
    change: 'changed',
    via: ['messages', 'gemini', 'converse'],
    reason: 'A name is OpenAI’s: a label that says nothing to the model.',
  },
  {
    ...REQUEST,
    path: 'responseFormat.description',
    change: 'lost',
    via: ['messages', 'gemini'],
    reason: 'It stands in the description of the schema.',
  },
  {
    ...REQUEST,
    path: 'responseFormat.strict',
    change: 'lost',
    reason: 'The others hold to every schema, or to none.',
  },
  {
    ...REQUEST,
    path: 'responseFormat.schema.**',
    reason: 'Keywords that the other side does not know are moved to descriptions or dropped and named.',
  },
  {
    ...REQUEST,
    path: 'responseFormat',
    change: 'lost',
    reason: 'Plain JSON is asked for in words, or by a tool.',
  },
  {
    ...REQUEST,
    path: 'system.text',
    change: 'added',
    via: ['messages', 'converse'],
    when: ({ after }) => JSON.stringify(after).includes('Answer with one JSON object'),
    reason: 'These words.',
  },
  {
    ...REQUEST,
    path: 'toolChoice',
    change: 'added',
    via: ['messages', 'converse'],
    reason: 'That tool, where the schema is none that they take.',
  },

  // Tools.
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'added',
    via: ['messages', 'converse'],
    reason: 'That tool; and a stand-in for tools that were called earlier and are not there any more.',
  },
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'lost',
    via: ['messages', 'converse'],
    reason: 'Where only some may be called, or none, the others are not told.',
  },
  { ...REQUEST, path: 'toolChoice.type', change: 'changed', before: 'allowed', reason: 'The same.' },
  { ...REQUEST, path: 'toolChoice.mode', change: 'lost', reason: 'The same.' },
  { ...REQUEST, path: 'toolChoice.names', change: 'lost', reason: 'The same.' },
  {
    ...REQUEST,
    path: 'tool.function.description',
    before: '',
    reason: 'Bedrock takes no empty description.',
  },
  { ...REQUEST, path: 'tool.function.strict', reason: 'Schemas are held to as the other side does it.' },
  {
    ...REQUEST,
    path: 'tool.function.cacheHint',
    change: 'lost',
    reason: 'Where nothing is asked about caches.',
  },
  {
    ...REQUEST,
    path: 'tool.function.schema.**',
    via: ['messages', 'converse'],
    reason: 'Keywords of OpenAPI alone are told as JSON Schema has them, or in words.',
  },

  // Instructions.
  {
    ...REQUEST,
    path: 'system.text',
    change: 'lost',
    when: isEmpty,
    reason: 'Empty instructions instruct nothing.',
  },
  {
    ...REQUEST,
    path: 'system.text.cacheHint',
    change: 'lost',
    reason: 'Where nothing is asked about caches.',
  },
  {
    ...REQUEST,
    path: 'system.text.role',
    change: 'changed',
    reason: 'One word or the other, as the model wants it.',
  },
  {
    ...REQUEST,
    path: 'system.text.midway',
    change: 'changed',
    reason: 'Where instructions stand beside the messages, all of them do, in their order.',
  },

  // What was said.
  {
    ...REQUEST,
    path: 'said.*.text',
    when: isEmpty,
    reason: 'Empty texts are refused by some, or needed by others.',
  },
  {
    ...REQUEST,
    path: 'said.*.text.cacheHint',
    change: 'lost',
    reason: 'Where nothing is asked about caches.',
  },
  { ...REQUEST, path: 'said.*.file.cacheHint', change: 'lost', reason: 'The same.' },
  {
    ...REQUEST,
    path: 'said.user.text',
    change: 'added',
    when: ({ after }) => OUR_WORDS.test(textOf(after)),
    reason: 'A turn that must be there; words that say where media come from, or what to do with them.',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.isError',
    change: 'lost',
    reason:
      'That it is none is the default; that it is one is dropped and named where results cannot say it.',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[]**',
    when: ({ path, change }) => !path.endsWith('.text') || change === 'added',
    reason:
      'Media that results cannot hold follow in the next message of the user, and the result says so; blocks that one dialect alone knows are named, or told as JSON. What is said in words stays.',
  },
  {
    ...REQUEST,
    path: 'said.user.*',
    change: 'added',
    when: ({ path }) => path === 'said.user.file' || path === 'said.user.image',
    reason: 'They are what tools returned; or files of Google’s store, of which no type is told.',
  },
  {
    ...REQUEST,
    path: 'said.user.file',
    change: 'lost',
    when: ({ before }) => JSON.stringify(before).includes('"mediaType":"text/plain"'),
    reason: 'A document of plain text is told as text where only PDFs are documents,',
  },
  {
    ...REQUEST,
    path: 'said.user.text',
    change: 'added',
    when: ({ after }) => /^(Dummy TXT|TXT test) file\n/.test(textOf(after)),
    reason: 'which is this text.',
  },
  {
    ...REQUEST,
    path: 'said.user.file.filename',
    reason: 'Bedrock demands names, of letters alone; Gemini has none.',
  },
  { ...REQUEST, path: 'said.user.file.source.mediaType', change: 'lost', reason: 'Of a URL it is not said.' },
  {
    ...REQUEST,
    path: 'said.user.image.detail',
    change: 'lost',
    reason: 'Only OpenAI is told how closely to look.',
  },

  // Answers.
  {
    ...ANSWER,
    path: '**xtra**',
    reason: 'What only one dialect knows of an answer; the defaults where it must be said.',
  },
  { ...ANSWER, path: 'part.opaque', change: 'lost', reason: 'Blocks that only one dialect has.' },
  { ...ANSWER, path: 'id', change: 'changed', reason: 'A response must have an id of its own form.' },
  { ...ANSWER, path: 'created', reason: 'Anthropic and Bedrock do not say when, Gemini not always.' },
  {
    ...ANSWER,
    path: 'part.tool_call.id',
    change: 'changed',
    when: ({ before, after }) => ownId(before) === ownId(after),
    reason:
      'Reasoning that must come back travels behind it; Gemini gives none, and they are made for each answer.',
  },
  { ...ANSWER, path: 'part.tool_call.signature**', reason: 'It travels in the id of the call.' },
  {
    ...ANSWER,
    path: 'choices[].signatures**',
    reason: 'It travels in the id of the next call, or cannot come back.',
  },
  {
    ...ANSWER,
    path: 'part.tool_call.arguments',
    change: 'changed',
    when: saysSameJson,
    reason: 'As in requests.',
  },
  {
    ...ANSWER,
    path: 'choices[].citations**',
    when: ({ path, change }) => change !== 'lost' && !path.endsWith('.url'),
    reason:
      'Anthropic’s have the place of a whole block, others no quotation, Google’s a place among sources: each is told with what there is.',
  },
  {
    ...ANSWER,
    path: 'choices[].citations**',
    from: ['messages'],
    via: ['gemini'],
    reason: 'Of equal passages Google tells no two apart: a segment is found by its words.',
  },
  {
    ...ANSWER,
    path: 'choices[].finish',
    before: 'stop_sequence',
    reason: 'Others say only that it stopped.',
  },
  {
    ...ANSWER,
    path: 'choices[].finish',
    when: ({ after }) => after === 'tool_calls',
    reason:
      'Where calls were made the others say so, whatever the provider said: agents would stop otherwise.',
  },
  { ...ANSWER, path: 'choices[].stopSequence', change: 'lost', reason: 'Only Anthropic says which.' },
  { ...ANSWER, path: 'choices[].logprobs', change: 'lost', via: ['messages'], reason: 'Anthropic has none.' },
  {
    ...ANSWER,
    path: 'usage.*',
    reason: 'Buckets that the other dialect does not know are in the sums alone.',
  },
];
