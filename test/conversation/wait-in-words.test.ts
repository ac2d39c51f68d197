import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readWaitInWords } from '../../src/conversation/retry-after.ts';
import { anyText } from '../support/any-text.ts';

/** As OpenAI, Groq, Azure, Gemini and gateways before them say it. */
const SAID: [message: string, ms: number | undefined][] = [
  [
    'Rate limit reached for gpt-4 in organization org-uVqp on tokens per min (TPM): Limit 10000, Used 8554, Requested 3082. Please try again in 9.816s. Visit https://platform.openai.com/account/rate-limits to learn more.',
    9_816,
  ],
  [
    'Rate limit reached for gpt-4.1 on tokens per min (TPM): Limit 30000, Used 18928, Requested 11159. Please try again in 174ms.',
    174,
  ],
  [
    'Rate limit reached for gpt-4 on requests per day (RPD): Limit 10000. Please try again in 1m2.5s.',
    62_500,
  ],
  [
    'Rate limit reached. Limit: 3 / min. Please try again in 20s. Contact us through our help center.',
    20_000,
  ],
  [
    'Rate limit reached for model `llama3-70b-8192` in organization `org_01` on tokens per minute (TPM): Limit 7000, Used 0, Requested ~12903. Please try again in 50.597142857s. Visit https://console.groq.com/docs/rate-limits for more information.',
    50_598,
  ],
  ['Rate limit reached on tokens per day (TPD). Please try again in 7m12s. Visit …', 432_000],
  ['Please try again in 1h12m0s.', 4_320_000],
  [
    'Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-01-preview have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry after 37 seconds. Please contact Azure support service if you would like to further increase the default rate limit.',
    37_000,
  ],
  ['Rate limit is exceeded. Try again in 50 seconds.', 50_000],
  [
    'You exceeded your current quota, please check your plan and billing details. Please retry in 17.393s.',
    17_393,
  ],
  ['Try again in 1 minute and 30 seconds.', 90_000],
  ['Try again in 2 hours, 5 minutes', 7_500_000],
  ['litellm.RateLimitError: … Please try again in 6s.\\nReceived Model Group=x', 6_000],
  ['Please try again in 5.', undefined],
  ['Please try again in 5 sheep.', undefined],
  ['Please try again in 0s.', undefined],
  ['Please try again in 99999 days.', undefined],
  ['Please try again in a few minutes.', undefined],
  ['Please try again later.', undefined],
  ['Limit 30000, Requested 31538. The input must be reduced in 6s.', undefined],
  ['Please retry after 5 sheep. Please try again in 3s.', 3_000],
];

test('the words of a refusal name a time in the ways that providers say it', () => {
  for (const [message, ms] of SAID) assert.equal(readWaitInWords(message), ms, message);
});

const UNITS: [ms: number, spellings: string[]][] = [
  [86_400_000, ['d', ' day', ' days']],
  [3_600_000, ['h', ' hour', ' hours']],
  [60_000, ['m', ' min', ' minute', ' minutes']],
  [1_000, ['s', ' sec', ' second', ' seconds']],
  [1, ['ms', ' milliseconds']],
];

const amounts = fc
  .subarray(UNITS, { minLength: 1 })
  .chain((units) =>
    fc.tuple(
      ...units.map(([ms, spellings]) =>
        fc
          .tuple(fc.integer({ min: 0, max: 25 }), fc.constantFrom(...spellings))
          .map(([amount, spelling]) => ({ ms: amount * ms, text: `${amount}${spelling}` })),
      ),
    ),
  );

test('whatever the units, their sum is the time', () => {
  fc.assert(
    fc.property(
      amounts,
      fc.constantFrom('', ' ', ', ', ' and '),
      fc.constantFrom('Please try again in ', 'try again after ', 'Retry in ', 'please retry after '),
      anyText,
      fc.constantFrom('.', '. Visit https://example.com/9s', '!', '\n', ''),
      (parts, between, words, before, behind) => {
        const sum = parts.reduce((ms, part) => ms + part.ms, 0);
        const said = parts.map(({ text }) => text).join(between);
        const read = readWaitInWords(`${before.slice(0, 200)} ${words}${said}${behind}`);
        assert.equal(read, sum === 0 ? undefined : sum);
      },
    ),
  );
});

test('whatever is said, a time is whole milliseconds of at most a month, and takes no longer to read than the text is long', () => {
  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom('try again in ', 'retry after ', '1', '9'.repeat(20), '.5', 'm', 'ms', ' ', 'and '),
        anyText,
      ),
    )
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(hostile, (message) => {
      const ms = readWaitInWords(message);
      assert.ok(ms === undefined || (Number.isInteger(ms) && ms > 0 && ms <= 31 * 86_400_000), `${ms}`);
    }),
  );
  for (const part of ['try again in 1', '1m1s', '9', 'retry after 1s and ', ' ']) {
    const startedMs = performance.now();
    readWaitInWords(`try again in ${part.repeat(100_000)}`);
    assert.ok(performance.now() - startedMs < 1_000, part);
  }
});
