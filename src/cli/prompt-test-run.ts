import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { describeFaults } from '../prompts/faults.ts';
import { promptPath } from '../prompts/prompt-path.ts';
import { ValueCheck } from '../prompts/values.ts';
import type { PromptTest } from './prompt-test-file.ts';
import { diffLines } from './text-diff.ts';

/** Where the prompts that are tested are called. */
export interface TestedGateway {
  url: string;
  key: string;
  /** Tells what calls cost; absent where there is no admin key. */
  adminKey: string | undefined;
  /** The model that is to be called in place of the prompts' own. */
  model: string | undefined;
}

export interface TestResult {
  prompt: string;
  test: string;
  /** Empty where it passed; else what was expected and what came, the first line in short. */
  failures: string[];
  /** Nothing came that could be held against what is expected. */
  couldNotBeRun?: true;
  ms: number;
}

interface Answered {
  status: number;
  text: string;
  id: string;
  ms: number;
}

/** Calls a prompt with the input of a test, and holds what comes against what is expected. */
export async function runPromptTest(
  gateway: TestedGateway,
  prompt: string,
  { name: test, input, expect }: PromptTest,
): Promise<TestResult> {
  const answered = await callPrompt(gateway, prompt, input, gateway.model);
  const { status, text, ms } = answered;
  if (status !== 200) return { prompt, test, failures: [`the call failed with ${status}: ${text}`], ms };
  const output = tryParseJson(text) ?? text;
  const failures = [
    ...checkSchema(expect.schema, output),
    ...checkEqual(expect.equals, output),
    ...(expect.contains ?? []).flatMap((part) =>
      text.includes(part) ? [] : [`it does not contain ${JSON.stringify(part)}\n${text}`],
    ),
    ...(expect.regex ?? []).flatMap((source) =>
      new RegExp(source, 'u').test(text) ? [] : [`it does not match /${source}/u\n${text}`],
    ),
    ...(expect.maxLatency !== undefined && ms > expect.maxLatency
      ? [`it took ${Math.round(ms)} ms, and may take ${expect.maxLatency} ms`]
      : []),
    ...(expect.maxCostUsd === undefined ? [] : await checkCost(gateway, answered, expect.maxCostUsd)),
    ...(expect.judge ? await checkJudge(gateway, expect.judge, input, output) : []),
  ];
  return { prompt, test, failures, ms };
}

async function callPrompt(
  { url, key }: TestedGateway,
  prompt: string,
  input: JsonObject,
  model: string | undefined,
): Promise<Answered> {
  const began = performance.now();
  const query = model === undefined ? '' : `?model=${encodeURIComponent(model)}`;
  const answer = await fetch(`${url}${promptPath(prompt)}${query}`, {
    method: 'POST',
    // What is kept of an earlier run tells nothing.
    headers: {
      ...{ authorization: `Bearer ${key}`, 'content-type': 'application/json', 'cache-control': 'no-store' },
    },
    body: JSON.stringify(input),
  });
  const text = await answer.text();
  const id = answer.headers.get('x-request-id') ?? '';
  return { status: answer.status, text, id, ms: performance.now() - began };
}

function checkSchema(schema: JsonObject | undefined, output: JsonValue): string[] {
  if (!schema) return [];
  const faults = new ValueCheck(schema).faultsOf(output);
  return faults.length > 0
    ? [`it does not fit the schema: ${describeFaults(faults)}\n${showValue(output)}`]
    : [];
}

function checkEqual(expected: JsonValue | undefined, output: JsonValue): string[] {
  if (expected === undefined) return [];
  const [wanted, came] = [showValue(expected), showValue(output)];
  return wanted === came ? [] : [`it is not what is expected\n${diffLines(wanted, came).join('\n')}`];
}

/** The order of fields says nothing. */
function showValue(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(sorted(value), null, 2);
}

function sorted(value: JsonValue | undefined): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value ?? null;
  const names = Object.keys(value).toSorted();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

const RECORD_LOOKS = 100;
const RECORD_LOOK_MS = 50;

/** The record of a call is written a moment after its answer. */
async function checkCost(
  { url, adminKey }: TestedGateway,
  { id }: Answered,
  maxUsd: number,
): Promise<string[]> {
  if (adminKey === undefined) return ['what it cost is not known without an admin key: give --admin-key'];
  for (let look = 0; look < RECORD_LOOKS; look += 1) {
    const answer = await fetch(`${url}/admin/v1/calls/${id}`, {
      headers: { authorization: `Bearer ${adminKey}` },
    });
    const record = tryParseJson(await answer.text());
    if (answer.status === 200 && isObject(record)) {
      const { costMicroUsd, target } = record;
      if (typeof costMicroUsd !== 'number')
        return [
          `what it cost is not known: '${target}' has no price. Say it under 'prices', or leave 'maxCostUsd' out`,
        ];
      const usd = costMicroUsd / 1e6;
      return usd > maxUsd ? [`it cost $${usd}, and may cost $${maxUsd}`] : [];
    }
    if (answer.status !== 404)
      return [`what it cost cannot be read: the gateway answered ${answer.status} to this admin key`];
    await new Promise((resolve) => setTimeout(resolve, RECORD_LOOK_MS));
  }
  return ['what it cost is not known: the gateway has no record of the call'];
}

/** A prompt of the same gateway that is given what was asked and answered, and says `score`. */
async function checkJudge(
  gateway: TestedGateway,
  { prompt, least, input: more = {} }: NonNullable<PromptTest['expect']['judge']>,
  input: JsonObject,
  output: JsonValue,
): Promise<string[]> {
  const { status, text } = await callPrompt(gateway, prompt, { ...more, input, output }, undefined);
  if (status !== 200) return [`the judge '${prompt}' failed with ${status}: ${text}`];
  const said = tryParseJson(text);
  const score = isObject(said) ? said['score'] : undefined;
  if (typeof score !== 'number') return [`the judge '${prompt}' gave no score\n${text}`];
  return score >= least
    ? []
    : [`the judge '${prompt}' gave ${score}, and at least ${least} is expected\n${text}`];
}
