import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { alignColumns, formatTable } from './table.ts';

/** What is known of a rollout's candidate, for people: `GET /admin/v1/rollouts/NAME/report`. */
export function describeReport({ verdict, why, gates, steps, unreadScores }: JsonObject): string {
  return [
    `verdict: ${sayVerdict(verdict)}: ${String(why)}`,
    typeof unreadScores === 'number' && unreadScores > 0
      ? `answers of the judge that could not be read, and were left out: ${unreadScores}`
      : '',
    describeNumbers(objectsOf(steps)),
    describeRates(objectsOf(steps)),
    describeGates(objectsOf(gates)),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const SIDES = ['stable', 'candidate'] as const;

/** What the calls of each step and side came to. */
function describeNumbers(steps: readonly JsonObject[]): string {
  if (steps.length === 0) return '';
  const rows = steps.flatMap((step) =>
    sidesOf(step).map(([side, numbers]) => {
      const { calls, latencyMs, firstTokenMs, costMicroUsd, outputTokens, feedback } = numbers;
      return [
        ...[`${step['step']} (${step['weight']} %)`, side, String(calls ?? 0)],
        ...[sayTimes(latencyMs), sayTimes(firstTokenMs), sayMean(costMicroUsd, 1e-6), sayMean(outputTokens)],
        sayFeedback(feedback),
      ];
    }),
  );
  const left = ['step', 'side'];
  const right = [
    'calls',
    'p50/p95 ms (95 %)',
    'first token p50/p95 ms (95 %)',
    'USD per call (95 %)',
    'output tokens per call (95 %)',
    'feedback (95 %)',
  ];
  return formatTable([...alignColumns('left', left), ...alignColumns('right', right)], rows);
}

/** Those that are compared, and, where it has calls, what is on a side by rule. */
function sidesOf(step: JsonObject): [name: string, numbers: JsonObject][] {
  const byRule = objectOf(step['byRule']);
  const compared = SIDES.map((side): [string, JsonObject] => [side, objectOf(step[side])]);
  const others = SIDES.map((side): [string, JsonObject] => [`${side} by rule`, objectOf(byRule[side])]);
  return [...compared, ...others.filter(([, { calls }]) => typeof calls === 'number' && calls > 0)];
}

/** Rates that are known of any call; where none of them happened, nothing is said of them. */
function describeRates(steps: readonly JsonObject[]): string {
  const rows = steps.flatMap((step) => {
    const place = String(step['step']);
    return [...ratesOf(place, step), ...ratesOf(`${place} by rule`, objectOf(step['byRule']))];
  });
  if (rows.length === 0) return '';
  return formatTable(alignColumns('left', ['step', 'rate', 'stable (95 %)', 'candidate (95 %)']), rows);
}

function ratesOf(place: string, sides: JsonObject): string[][] {
  const [stable, candidate] = SIDES.map((side) => objectOf(objectOf(sides[side])['rates']));
  return Object.keys(candidate ?? {})
    .map((name) => [place, name, sayRate(stable?.[name]), sayRate(candidate?.[name])])
    .filter(([, , ...rates]) => rates.some((rate) => rate !== '-' && !rate.startsWith('0 %')));
}

export function describeGates(gates: readonly JsonObject[]): string {
  const rows = gates.map(({ what, gate, verdict, why, chance }) => [
    ...[String(what), String(gate), sayVerdict(verdict), sayNumber(chance), String(why)],
  ]);
  return formatTable(alignColumns('left', ['gate', 'against', 'verdict', 'chance if as good', 'why']), rows);
}

function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function sayVerdict(verdict: JsonValue | undefined): string {
  return String(verdict).replaceAll('_', ' ');
}

/** Three digits are more than is known. */
function sayNumber(value: JsonValue | undefined): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : '-';
}

function sayTimes(times: JsonValue | undefined): string {
  if (!isObject(times)) return '-';
  return ['p50', 'p95'].map((name) => sayTime(times[name], objectOf(times[`${name}Interval`]))).join(' / ');
}

/** A quantile, and where it lies, as far as that is known. */
function sayTime(time: JsonValue | undefined, { low, high }: JsonObject): string {
  const [own, from, to] = [time, low, high].map((one) => Math.round(Number(one)));
  return high === null ? `${own} (from ${from})` : `${own} (${from} to ${to})`;
}

/** The mean, and where it lies, as far as that is known. */
function sayMean(value: JsonValue | undefined, factor = 1): string {
  if (!isObject(value)) return '-';
  const { mean, low, high } = value;
  const [own, from, to] = [mean, low, high].map((one) =>
    one === null ? '-' : sayNumber(Number(one) * factor),
  );
  return from === '-' ? `${own}` : `${own} (${from} to ${to})`;
}

/** The mean score, and of how many calls it is. */
function sayFeedback(feedback: JsonValue | undefined): string {
  if (!isObject(feedback)) return '-';
  const { score, low, high, calls } = feedback;
  return `${sayNumber(score)} (${sayNumber(low)} to ${sayNumber(high)}) of ${calls}`;
}

/** The share, and where it lies. */
function sayRate(rate: JsonValue | undefined): string {
  if (!isObject(rate)) return '-';
  const [share, low, high] = [rate['share'], rate['low'], rate['high']].map((one) => sayPercent(Number(one)));
  return `${share} % (${low} to ${high})`;
}

function sayPercent(share: number): string {
  return String(Number((share * 100).toFixed(2)));
}
