import { DAY_MS, dayOf } from '../config/days.ts';
import type { Retiring } from './list-retiring.ts';
import type { Notice } from './notices.ts';

/** So many days ahead operators are told; 0: the day has come. */
const STAGES = [
  { days: 0, severity: 'alarm' },
  { days: 1, severity: 'warning' },
  { days: 7, severity: 'warning' },
  { days: 30, severity: 'warning' },
  { days: 90, severity: 'info' },
] as const;

/** What is to be told of something on its way out now, and the key under which it is told once; `undefined`: nothing yet. */
export function announce(retiring: Retiring, nowMs: number): { key: string; notice: Notice } | undefined {
  const { kind, name, atMs, successor, source, models } = retiring;
  const leftMs = atMs - nowMs;
  const stage = STAGES.find(({ days }) => leftMs <= days * DAY_MS);
  if (!stage) return undefined;
  const isOver = stage.days === 0;
  const on = dayOf(atMs);
  const what = kind === 'model' ? `The model '${name}'` : `The target '${name}'`;
  const whom = kind === 'model' ? '' : ' by its provider';
  const when = isOver ? `was retired${whom} on ${on}` : `is retired${whom} on ${on}, ${inDays(leftMs)}`;
  const advice = successor === undefined ? '' : ` Its successor is '${successor}'.`;
  const users = kind === 'model' ? '' : ` On it: ${models.join(', ')}.`;
  return {
    key: `retires:${kind}:${name}:${on}:${stage.days}`,
    notice: {
      severity: stage.severity,
      kind: isOver ? 'model_retired' : 'model_retiring',
      message: `${what} ${when}.${advice}${users}`,
      details: {
        ...{ [kind]: name, retiresOn: on, daysLeft: Math.max(0, Math.ceil(leftMs / DAY_MS)) },
        ...{ successor: successor ?? null, models, source },
      },
    },
  };
}

function inDays(ms: number): string {
  const days = Math.ceil(ms / DAY_MS);
  return days === 1 ? 'within a day' : `in ${days} days`;
}
