import { CARRIED_MARKER } from '../../src/conversation/carried-reasoning.ts';
import type { Conversation, DialectName, ToolChoice } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import { isClientTool } from '../../src/dialects/messages/client-tools.ts';
import { parameterName } from '../../src/dialects/parameters.ts';
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
  when?: (difference: Difference, crossed: Crossed) => boolean;
}

/** What was crossed. */
export interface Crossed {
  /** What the request asks; absent of answers. */
  asked?: Conversation;
  /** What it asks where it came back. */
  back?: Conversation;
  /** What was named as dropped on the way. */
  dropped: readonly string[];
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

/** A step of a path that is an `Extra`; what stands in a schema is the caller's own. */
const isExtra = ({ path }: Difference): boolean =>
  /(?:^|\.)(?:extra|messageExtra)(?:$|[.[])/.test(path) && !/\bschema\./.test(path);

const objectOf = (value: JsonValue | undefined): JsonObject => (isObject(value) ? value : {});

/** Whether only these of an object's keys say anything. */
const saysOnly = (value: JsonValue | undefined, ...keys: string[]): boolean =>
  Object.keys(objectOf(value)).every((key) => keys.includes(key));

const allowedTools = ({ asked }: Crossed): Extract<ToolChoice, { type: 'allowed' }> | undefined =>
  asked?.toolChoice?.type === 'allowed' ? asked.toolChoice : undefined;

/** Encoders make a tool of a schema that they cannot ask for otherwise. */
const OUTPUT_TOOL = 'fairlead_json_output';

/** Efforts by what they cost; budgets are turned into the nearest, each API by its own table. */
const EFFORTS: readonly (JsonValue | undefined)[] = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
];
const stepsApart = ({ before, after }: Difference): number =>
  Math.abs(EFFORTS.indexOf(before) - EFFORTS.indexOf(after));

const isNamed = ({ dropped }: Crossed, word: RegExp): boolean => dropped.some((name) => word.test(name));

/** Where the messages of each dialect hold reasoning. */
const REASONING_PLACE =
  /^(?:messages\[\d*\]\.(?:reasoning\w*|prefix|content\[\d*\])|input\[\d*\]|contents\[\d*\]\.parts\[\d*\])/;

/** A keyword that only narrows a value, and where it goes: to the description, in words. */
const isNarrowing = ({ path }: Difference): boolean =>
  /\.(pattern|default|minItems|maxItems|prefixItems|nullable|minimum|maximum|multipleOf|minLength|maxLength|exclusiveMinimum|exclusiveMaximum|format|uniqueItems|examples)$/.test(
    path,
  );

/** Within one step of the tables: 4,096, 12,288, 24,576 …; -1 leaves it to the model. */
const isNearBudget = (before: JsonValue | undefined, after: JsonValue | undefined): boolean => {
  if (typeof before !== 'number' || typeof after !== 'number') return false;
  return before === -1 || after === -1 || (after <= before * 4 && before <= after * 4);
};

const MEDIA = new Set<JsonValue | undefined>(['image', 'file', 'audio']);

/** Whether a conversation holds the media of a part, or of a source, wherever in it. */
const saysMedia = (conversation: Conversation | undefined, value: JsonValue | undefined): boolean => {
  const { source = value } = objectOf(value);
  const { base64, url, id, text } = objectOf(source);
  const what = base64 ?? url ?? id ?? text;
  // A text may stand in a longer one.
  return (
    what !== undefined && JSON.stringify(conversation ?? null).includes(JSON.stringify(what).slice(1, -1))
  );
};

export const CROSSING_RULES: readonly CrossingRule[] = [
  // What one dialect alone knows.
  {
    ...REQUEST,
    path: '**',
    when: isExtra,
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
    when: (_, crossed) => isNamed(crossed, /^parallel_tool_calls$/),
    reason: 'Where there is no word for it, it is dropped and named.',
  },
  {
    ...REQUEST,
    path: 'toolChoice',
    change: 'lost',
    before: { type: 'auto' },
    reason: 'It is the default.',
  },
  {
    ...REQUEST,
    path: 'toolChoice',
    change: 'lost',
    before: { type: 'none' },
    via: ['converse'],
    reason: 'Bedrock has no word for it: the tools themselves are not told.',
  },
  {
    ...REQUEST,
    path: 'toolChoice',
    change: 'lost',
    when: ({ before }, crossed) =>
      objectOf(before)['type'] === 'opaque' && isNamed(crossed, /tool_choice|functionCallingConfig/),
    reason: 'Choices that only one provider knows: dropped and named.',
  },
  {
    ...REQUEST,
    path: 'said.assistant.reasoning',
    change: 'lost',
    when: (_, { dropped }) => dropped.some((name) => REASONING_PLACE.test(name)),
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
    change: 'added',
    via: ['messages', 'converse'],
    reason: 'Where a limit is demanded, or a budget of thinking must fit below it, one is written.',
  },
  {
    ...REQUEST,
    path: 'parameters.maxOutputTokens',
    change: 'changed',
    via: ['responses'],
    when: ({ after }, crossed) => after === 16 && isNamed(crossed, /=16$/),
    reason: 'The Responses API takes no limit below 16; what was sent is told.',
  },
  {
    ...REQUEST,
    path: 'parameters.stop',
    change: 'lost',
    via: ['responses'],
    reason: 'The Responses API has no stop sequences: the gateway cuts the answer by itself.',
  },
  {
    ...REQUEST,
    path: 'parameters.n',
    before: 1,
    change: 'lost',
    reason: 'One choice is what every dialect gives.',
  },
  ...(
    ['endUser', 'promptCacheKey', 'serviceTier', 'topK', 'logprobs', 'topLogprobs', 'verbosity'] as const
  ).map(
    (key): CrossingRule => ({
      ...REQUEST,
      path: `parameters.${key}`,
      change: 'lost',
      when: (_, { asked, dropped }) => asked !== undefined && dropped.includes(parameterName(asked, key)),
      reason: 'Dropped and named where the other dialect has no word for it (`dialects/parameters.ts`).',
    }),
  ),
  {
    ...REQUEST,
    path: 'reasoning',
    change: 'lost',
    when: ({ before }) => saysOnly(before, 'includeText', 'extra') || objectOf(before)['effort'] === 'none',
    reason:
      'That a model may do as it does when nothing is said is not said; nor is what thoughts to show, where it shows all.',
  },
  {
    ...REQUEST,
    path: 'reasoning',
    change: 'lost',
    via: ['chat', 'responses'],
    before: { budgetTokens: -1 },
    reason: 'The model decides how much, as it does when nothing is said.',
  },
  {
    ...REQUEST,
    path: 'reasoning',
    change: 'lost',
    when: (_, crossed) => isNamed(crossed, /effort|thinking|reasoning/),
    reason: 'No thinking fits below the limit, or beside a tool that must be called: dropped and named.',
  },
  {
    ...REQUEST,
    path: 'reasoning.effort',
    change: 'changed',
    when: (difference, crossed) =>
      stepsApart(difference) <= 1 || isNamed(crossed, /effort|thinking|reasoning/),
    reason:
      'Words and budgets are turned into each other as near as they come; what is farther off is named.',
  },
  {
    ...REQUEST,
    path: 'reasoning.effort',
    change: 'changed',
    before: 'max',
    when: ({ after }) => after === 'high',
    reason: 'The most that there is a word for.',
  },
  {
    ...REQUEST,
    path: 'reasoning.effort',
    change: 'added',
    from: ['messages'],
    via: ['chat', 'responses'],
    reason: 'A budget comes back as an effort, where the model has one.',
  },
  {
    ...REQUEST,
    path: 'reasoning.budgetTokens',
    change: 'added',
    from: ['messages'],
    via: ['chat', 'responses', 'gemini'],
    when: (_, { asked }) => asked?.reasoning?.effort !== undefined,
    reason: 'So does one that was said without thinking: elsewhere they are one.',
  },
  {
    ...REQUEST,
    path: 'reasoning.budgetTokens',
    change: 'changed',
    from: ['messages', 'converse'],
    via: ['chat', 'responses', 'messages', 'gemini'],
    when: ({ before, after }) => isNearBudget(before, after),
    reason: 'A budget is turned into the nearest word, and that into the budget which it stands for.',
  },
  {
    ...REQUEST,
    path: 'reasoning.includeText',
    change: 'lost',
    via: ['chat', 'messages', 'converse'],
    reason: 'They show what thoughts they have, and have no word for it.',
  },
  {
    ...REQUEST,
    path: 'reasoning.includeText',
    change: 'added',
    reason: 'Callers of dialects that show thoughts without being asked expect them.',
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
    via: ['messages', 'gemini', 'converse'],
    reason: 'The others hold to every schema, or to none.',
  },
  ...['responseFormat.schema', 'tool.function.schema'].flatMap((schema): CrossingRule[] => [
    {
      ...REQUEST,
      path: `${schema}.**`,
      change: 'lost',
      via: ['messages', 'converse'],
      when: isNarrowing,
      reason: 'Keywords that the other side does not know are told in words:',
    },
    {
      ...REQUEST,
      path: `${schema}.**`,
      via: ['messages', 'converse'],
      when: ({ path, before, after }) =>
        path.endsWith('description') && String(after).startsWith(String(before ?? '')),
      reason: 'these.',
    },
    {
      ...REQUEST,
      path: `${schema}.**`,
      change: 'added',
      via: ['messages', 'converse'],
      when: ({ path, after }) => path.endsWith('additionalProperties') && after === false,
      reason: 'Objects must be closed where a schema is held to.',
    },
  ]),
  {
    ...REQUEST,
    path: 'responseFormat.schema.**',
    via: ['messages', 'converse'],
    when: ({ path }) => /\.(?:oneOf|anyOf)$/.test(path),
    reason: 'One of several is written as any of them.',
  },
  {
    ...REQUEST,
    path: 'responseFormat.schema.**',
    via: ['gemini'],
    when: ({ path }) => /\.(?:const|enum)$/.test(path),
    reason: 'A constant is written as the one value of a list.',
  },
  {
    ...REQUEST,
    path: 'responseFormat.schema.**',
    via: ['gemini'],
    change: 'added',
    when: ({ path }) => path.endsWith('.description'),
    reason: 'The description of the format.',
  },
  {
    ...REQUEST,
    path: 'responseFormat',
    change: 'lost',
    via: ['messages', 'converse'],
    when: ({ before }) => objectOf(before)['type'] === 'json_object',
    reason: 'Plain JSON is asked for in words.',
  },
  {
    ...REQUEST,
    path: 'responseFormat',
    change: 'lost',
    before: { type: 'text' },
    reason: 'It is the default.',
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
    via: ['messages'],
    when: ({ after }) => objectOf(after)['type'] === 'auto' && saysOnly(after, 'type'),
    reason: 'The default, which must be said for what is said beside it.',
  },

  // Tools.
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'added',
    via: ['messages', 'converse'],
    when: ({ after }) => {
      const { name, description } = objectOf(after);
      return (
        name === OUTPUT_TOOL || String(description).startsWith('Was called earlier in this conversation.')
      );
    },
    reason: 'That tool; and a stand-in for tools that were called earlier and are not there any more.',
  },
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'added',
    via: ['converse'],
    when: ({ after }) => objectOf(after)['description'] === 'Does nothing. Never call it.',
    reason:
      'Where a history has calls, Converse wants a tool of its own words; those of Anthropic’s types stand beside them.',
  },
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'lost',
    via: ['messages', 'converse'],
    when: ({ before }, crossed) => {
      const allowed = allowedTools(crossed);
      const name = String(objectOf(before)['name']);
      return allowed ? !allowed.names.includes(name) : crossed.asked?.toolChoice?.type === 'none';
    },
    reason: 'Where only some may be called, or none, the others are not told.',
  },
  {
    ...REQUEST,
    path: 'toolChoice.type',
    change: 'changed',
    via: ['messages', 'converse'],
    before: 'allowed',
    when: ({ after }, crossed) => after === allowedTools(crossed)?.mode,
    reason: 'The same.',
  },
  ...['toolChoice.mode', 'toolChoice.names'].map(
    (path): CrossingRule => ({
      ...REQUEST,
      path,
      change: 'lost',
      via: ['messages', 'converse'],
      when: (_, crossed) => allowedTools(crossed) !== undefined,
      reason: 'The same.',
    }),
  ),
  {
    ...REQUEST,
    path: 'tool.function.description',
    before: '',
    via: ['converse'],
    reason: 'Bedrock takes no empty description.',
  },
  {
    ...REQUEST,
    path: 'tool.function.strict',
    via: ['gemini'],
    when: ({ before }) => before === true,
    reason: 'Gemini holds to every schema, and has no word for it.',
  },
  {
    ...REQUEST,
    path: 'tool.function.strict',
    change: 'added',
    when: ({ after }) => after === false,
    reason: 'Where nothing said would mean that it is.',
  },
  {
    ...REQUEST,
    path: 'tool.function',
    change: 'added',
    from: ['messages'],
    when: ({ after }, { asked }) =>
      asked?.tools.some((tool) => isClientTool(tool) && tool.value['name'] === objectOf(after)['name']) ===
      true,
    reason: 'A tool of Anthropic’s own that the caller runs is a function elsewhere.',
  },
  {
    ...REQUEST,
    path: 'tool.function.schema.properties',
    change: 'added',
    via: ['chat', 'responses'],
    when: ({ after }) => isObject(after) && Object.keys(after).length === 0,
    reason: 'OpenAI demands them of every tool; none means the same as nothing said.',
  },
  {
    ...REQUEST,
    path: 'tool.function.cacheHint',
    change: 'lost',
    reason: 'Where nothing is asked about caches.',
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
    when: ({ before }, { dropped }) =>
      before === false ||
      dropped.some((name) => /(?:is_error|functionResponse\.response\.error)$/.test(name)),
    reason:
      'That it is none is the default; that it is one is dropped and named where results cannot say it.',
  },
  ...(
    [
      ['said.tool.tool_result.parts[]', 'lost'],
      ['said.tool.tool_result.parts[].source', 'lost'],
    ] as const
  ).map(
    ([path, change]): CrossingRule => ({
      ...REQUEST,
      path,
      change,
      when: ({ before }, { back }) => saysMedia(back, before),
      reason:
        'Media that results cannot hold follow in the next message of the user, and the result says so.',
    }),
  ),
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[].type',
    change: 'changed',
    when: ({ before, after }) => MEDIA.has(before) && after === 'text',
    reason: 'The same:',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[].filename',
    reason: 'the same,',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[].text',
    change: 'added',
    reason: 'in these words.',
  },
  {
    ...REQUEST,
    path: 'said.tool.tool_result.parts[].detail',
    change: 'lost',
    reason: 'The same, and only OpenAI is told how closely to look.',
  },
  ...(
    [
      ['type', 'opaque'],
      ['dialect', undefined],
      ['value', undefined],
    ] as const
  ).map(
    ([key, before]): CrossingRule => ({
      ...REQUEST,
      path: `said.tool.tool_result.parts[].${key}`,
      ...(before === undefined ? { change: 'lost' } : { before }),
      when: (_, { asked, dropped }) =>
        dropped.length > 0 || JSON.stringify(asked).includes('"tool_reference"'),
      reason:
        'A block that one dialect alone knows is named, or told in words, and words stand in its place.',
    }),
  ),
  {
    ...REQUEST,
    path: 'said.user.*',
    change: 'added',
    when: ({ path, after }, { asked }) =>
      (path === 'said.user.file' || path === 'said.user.image') && saysMedia(asked, after),
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
    when: ({ after }) => /^(?:Title: [\w.]+\n\n)?(?:Dummy TXT|TXT test) file\n/.test(textOf(after)),
    reason: 'which is this text, with its name before it.',
  },
  {
    ...REQUEST,
    path: 'said.user.file.filename',
    reason: 'Bedrock demands names, of letters alone; Gemini has none.',
  },
  {
    ...REQUEST,
    path: 'said.user.file.source.mediaType',
    change: 'lost',
    from: ['gemini'],
    reason: 'Of a URL it is not said.',
  },
  {
    ...REQUEST,
    path: 'said.user.image.detail',
    change: 'lost',
    reason: 'Only OpenAI is told how closely to look.',
  },

  // Answers.
  {
    ...ANSWER,
    path: '**',
    when: isExtra,
    reason: 'What only one dialect knows of an answer; the defaults where it must be said.',
  },
  {
    ...ANSWER,
    path: 'choices[].refusal',
    change: 'changed',
    from: ['messages'],
    when: ({ after }) => after === '',
    reason:
      'Anthropic says why its own model refused beside the answer; what another refused with is its words there,',
  },
  {
    ...ANSWER,
    path: 'choices[].text',
    change: 'changed',
    from: ['messages'],
    when: ({ before }) => before === '',
    reason: 'and so are they when they are told back.',
  },
  { ...ANSWER, path: 'part.opaque', change: 'lost', reason: 'Blocks that only one dialect has.' },
  {
    ...ANSWER,
    path: 'id',
    change: 'changed',
    via: ['responses'],
    reason: 'A response must have an id of its own form.',
  },
  { ...ANSWER, path: 'id', change: 'changed', from: ['responses'], reason: 'The same.' },
  { ...ANSWER, path: 'created', via: ['messages'], reason: 'Anthropic does not say when,' },
  {
    ...ANSWER,
    path: 'created',
    change: 'added',
    from: ['converse', 'gemini'],
    reason: 'Bedrock neither, Gemini not always.',
  },
  {
    ...ANSWER,
    path: 'part.tool_call',
    change: 'lost',
    from: ['gemini'],
    when: (_, { dropped }) => dropped.includes('answer.functionCall'),
    reason:
      'The last call of an answer that the limit cut: told back by a client of Gemini’s, nobody knows that it is whole.',
  },
  {
    ...ANSWER,
    path: 'part.tool_call.id',
    change: 'changed',
    when: ({ before, after }) => ownId(before) === ownId(after),
    reason:
      'Reasoning that must come back travels behind it; Gemini gives none, and they are made for each answer.',
  },
  {
    ...ANSWER,
    path: 'part.tool_call.signature**',
    when: ({ change }) => change !== 'lost',
    reason: 'It travels in the id of the call.',
  },
  {
    ...ANSWER,
    path: 'choices[].signatures**',
    from: ['messages', 'converse', 'responses', 'gemini'],
    when: ({ change }) => change !== 'added',
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
    when: ({ path, change }) => change !== 'lost' && /\.(?:start|end|quote|title)$/.test(path),
    reason:
      'Anthropic’s have the place of a whole block, others no quotation, Google’s a place among sources: each is told with what there is.',
  },
  {
    ...ANSWER,
    path: 'choices[].citations**',
    from: ['messages'],
    via: ['gemini'],
    when: ({ path }) => /citations\[\d+\]/.test(path),
    reason: 'Of equal passages Google tells no two apart: a segment is found by its words.',
  },
  {
    ...ANSWER,
    path: 'choices[].finish',
    before: 'stop_sequence',
    when: ({ after }) => after === 'stop',
    reason: 'Others say only that it stopped.',
  },
  {
    ...ANSWER,
    path: 'choices[].finish',
    when: ({ before, after }) =>
      (before === 'stop' || before === 'malformed_tool_call') && after === 'tool_calls',
    reason:
      'Where calls were made the others say so, whatever the provider said: agents would stop otherwise.',
  },
  {
    ...ANSWER,
    path: 'choices[].finish',
    from: ['gemini'],
    before: 'malformed_tool_call',
    when: ({ after }) => after === 'content_filter',
    reason: 'Others have no word for a call that could not be read, and would take a stop for an end.',
  },
  { ...ANSWER, path: 'choices[].stopSequence', change: 'lost', reason: 'Only Anthropic says which.' },
  ...['usage.tier', 'usage.model', 'usage.beside', 'usage.saidMicroUsd'].map(
    (path): CrossingRule => ({
      ...ANSWER,
      path,
      change: 'lost',
      reason: 'It tells of the service and its price: the usage record has it.',
    }),
  ),
  { ...ANSWER, path: 'choices[].logprobs', change: 'lost', via: ['messages'], reason: 'Anthropic has none.' },
  ...(
    [
      ['usage.cacheWrite', ['gemini']],
      ['usage.inputAudio', ['messages']],
    ] as const
  ).map(
    ([path, via]): CrossingRule => ({
      ...ANSWER,
      path,
      change: 'changed',
      via,
      when: ({ after }) => after === 0,
      reason: 'A bucket that the other dialect does not know is in the sums alone, which are held apart:',
    }),
  ),
  {
    ...ANSWER,
    path: 'usage.input',
    change: 'changed',
    via: ['gemini', 'messages'],
    when: ({ before, after }) => Number(after) > Number(before),
    reason: 'in what is plain input there.',
  },
];
