import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { type OutputBound, outputFieldNames, readOutputBound } from '../../src/dialects/output-bound.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';
import { WordTable } from '../../src/dialects/word-table.ts';
import { scale } from '../support/scale.ts';

const UNSAID = 4_096;

function bound(dialect: CallerDialectName, text: string): OutputBound {
  const body = Buffer.from(text);
  const spans = findTopLevelFields(body, new WordTable(outputFieldNames(dialect)));
  return readOutputBound(body, spans, dialect, UNSAID);
}

const BOUNDS: [CallerDialectName, string, number][] = [
  ['chat', '{}', UNSAID],
  ['chat', '{"max_tokens":null,"n":null}', UNSAID],
  ['chat', '{"max_tokens":10}', 10],
  ['chat', '{"max_tokens":50000,"max_completion_tokens":1}', 50_000],
  ['chat', '{"max_tokens":1,"max_completion_tokens":50000}', 50_000],
  ['chat', '{"max_tokens":50000,"max_completion_tokens":0}', 50_000],
  ['chat', '{"max_tokens":50000,"max_completion_tokens":null}', 50_000],
  ['chat', '{"max_tokens":"100000"}', 100_000],
  ['chat', '{"max_tokens":" 100000 "}', 100_000],
  ['chat', '{"max_tokens":1.0e2}', 100],
  // Not every server takes nothing for a limit.
  ['chat', '{"max_tokens":0}', UNSAID],
  ['chat', '{"max_tokens":10,"n":"8"}', 80],
  ['chat', '{"max_tokens":10,"n":0}', 10],
  ['chat', '{"max_tokens":10,"n":2,"best_of":5}', 50],
  ['chat', '{"max_t\\u006fkens":10}', 10],
  // Words of servers that speak the dialect.
  ['chat', '{"max_tokens":1,"n_predict":50000}', 50_000],
  ['chat', '{"max_tokens":1,"max_new_tokens":50000}', 50_000],
  ['chat', '{"max_tokens":1,"max_output_tokens":50000}', 50_000],
  ['chat', '{"max_tokens":1,"num_predict":50000}', 50_000],
  ['chat', '{"max_tokens":1,"options":{"num_predict":50000},"n":2}', 100_000],
  ['responses', '{"max_output_tokens":1,"max_tokens":50000}', 50_000],
  ['messages', '{"max_tokens":1,"n_predict":50000}', 50_000],
  ['responses', '{"max_output_tokens":7}', 7],
  ['responses', '{"max_output_tokens":"7000"}', 7_000],
  ['messages', '{"max_tokens":8}', 8],
  ['messages', '{"max_tokens":"8000"}', 8_000],
  ['gemini', '{}', UNSAID],
  ['gemini', '{"generationConfig":null}', UNSAID],
  ['gemini', '{"generationConfig":{}}', UNSAID],
  ['gemini', '{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}', 18],
  ['gemini', '{"generation_config":{"max_output_tokens":9,"candidate_count":2}}', 18],
  ['gemini', '{"generationConfig":{"maxOutputTokens":"50000","candidateCount":"2"}}', 100_000],
  ['gemini', '{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":50000}}', 50_000],
  ['gemini', '{"generationConfig":{"maxOutputTokens":50000,"maxOutputTokens":1}}', 50_000],
  [
    'gemini',
    '{"generationConfig":{"maxOutputTokens":1},"generation_config":{"maxOutputTokens":50000}}',
    50_000,
  ],
  ['gemini', '{"generationConfig":{"maxOutputTokens":5},"generation_config":{"candidateCount":3}}', 15],
];

for (const [dialect, text, tokens] of BOUNDS) {
  test(`${dialect}: ${text} may generate ${tokens}`, () => {
    assert.equal(bound(dialect, text), tokens);
  });
}

const UNBOUNDED: [CallerDialectName, string, string][] = [
  ['chat', '{"max_tokens":1e30}', 'max_tokens'],
  ['chat', '{"max_tokens":1e999}', 'max_tokens'],
  ['chat', '{"max_tokens":99999999999999999999}', 'max_tokens'],
  ['chat', '{"max_tokens":-1}', 'max_tokens'],
  ['chat', '{"max_tokens":1.5}', 'max_tokens'],
  ['chat', '{"max_tokens":[100000]}', 'max_tokens'],
  ['chat', '{"max_tokens":{}}', 'max_tokens'],
  ['chat', '{"max_tokens":true}', 'max_tokens'],
  ['chat', '{"max_tokens":"1e5"}', 'max_tokens'],
  ['chat', '{"max_tokens":""}', 'max_tokens'],
  ['chat', '{"max_completion_tokens":1,"max_tokens":[50000]}', 'max_tokens'],
  ['chat', '{"max_tokens":1,"n":1e30}', 'n'],
  ['chat', '{"max_tokens":1,"best_of":"many"}', 'best_of'],
  ['responses', '{"max_output_tokens":[1]}', 'max_output_tokens'],
  ['messages', '{"max_tokens":"all"}', 'max_tokens'],
  ['gemini', '{"generationConfig":[{"maxOutputTokens":50000}]}', 'generationConfig'],
  ['gemini', '{"generation_config":{"maxOutputTokens":-1}}', 'generation_config.maxOutputTokens'],
  ['gemini', '{"generationConfig":{"candidate_count":1e30}}', 'generationConfig.candidate_count'],
];

for (const [dialect, text, param] of UNBOUNDED) {
  test(`${dialect}: ${text} is bounded by nothing that '${param}' says`, () => {
    assert.deepEqual(bound(dialect, text), { param });
  });
}

const SPELLINGS: Record<CallerDialectName, { tokens: string[]; answers: string[]; within?: string[] }> = {
  chat: { tokens: ['max_tokens', 'max_completion_tokens'], answers: ['n', 'best_of'] },
  responses: { tokens: ['max_output_tokens'], answers: [] },
  messages: { tokens: ['max_tokens'], answers: [] },
  gemini: {
    tokens: ['maxOutputTokens', 'max_output_tokens'],
    answers: ['candidateCount', 'candidate_count'],
    within: ['generationConfig', 'generation_config'],
  },
};

/** What lenient parsers make of a value: Pydantic's, that of Google's proto JSON, JavaScript's own. */
function mostLenient(value: unknown): number {
  const number = Array.isArray(value) && value.length === 1 ? Number(value[0]) : Number(value);
  return Number.isNaN(number) ? 0 : number;
}

test('a request reserves no less than what any of its spellings allows, each read as leniently as any server may', () => {
  const count = fc.oneof(
    fc.integer({ min: 0, max: 200_000 }),
    fc.integer({ min: 0, max: 200_000 }).map(String),
    fc.constantFrom(null, 0, -1, 1.5, 1e30, true, '', '1e5', [50_000], ['50000'], {}, Number.MAX_VALUE),
  );
  const dialects = Object.keys(SPELLINGS) as CallerDialectName[];
  const requests = fc.constantFrom(...dialects).chain((dialect) => {
    const { tokens, answers, within } = SPELLINGS[dialect];
    const fields = fc.uniqueArray(fc.tuple(fc.constantFrom(...tokens, ...answers), count), {
      selector: ([name]) => name,
    });
    const bodies = within
      ? fc.dictionary(fc.constantFrom(...within), fields.map(Object.fromEntries))
      : fields.map((entries): Record<string, unknown> => Object.fromEntries(entries));
    return bodies.map((body) => ({ dialect, body }));
  });
  fc.assert(
    fc.property(requests, ({ dialect, body }) => {
      const { tokens, answers, within } = SPELLINGS[dialect];
      const objects = (within ? Object.values(body) : [body]) as Record<string, unknown>[];
      const most = (names: string[]) =>
        Math.max(0, ...objects.flatMap((object) => names.map((name) => mostLenient(object[name]))));
      const allowed = (most(tokens) || UNSAID) * Math.max(1, most(answers));
      const read = bound(dialect, JSON.stringify(body));
      if (typeof read === 'number') assert.ok(read >= allowed, `${read} of ${allowed}`);
      else assert.match(read.param, /./);
    }),
    { numRuns: scale({ sample: 300, heavy: 1_000 }) },
  );
});
