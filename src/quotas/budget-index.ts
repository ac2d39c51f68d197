import { compileGlob } from '../config/glob.ts';
import { appendAll } from '../conversation/append-all.ts';
import { inputTokens, NO_USAGE, outputTokens } from '../conversation/usage.ts';
import type { TokenCounts } from '../usage/call-row.ts';
import { promptNameOf, type UsageRecord } from '../usage/record.ts';
import { LIMIT_KINDS, type Limit, spentNanoUsd } from './limit.ts';
import type { Spending } from './reservation.ts';

/** What a call, or a sum of calls, is known by. */
export interface CallNames {
  tenant?: string | null;
  key?: string | null;
  model?: string | null;
  /** `NAME` or `NAME@VERSION`. */
  prompt?: string | null;
}

interface Entry {
  limit: Limit;
  concerns: (names: CallNames) => boolean;
}

export function isBudget({ kind }: Limit): boolean {
  return LIMIT_KINDS[kind].counts === 'budget';
}

/** Finds the budgets, or other limits that are meant, of those that it is made of, in which a call counts. */
export class BudgetIndex {
  readonly #ofTenants = new Map<string, Entry[]>();
  readonly #ofModels = new Map<string, Limit[]>();
  readonly #ofPrompts = new Map<string, Limit[]>();

  constructor(limits: readonly Limit[], isMeant: (limit: Limit) => boolean = isBudget) {
    for (const limit of limits) {
      const { scope } = limit;
      if (!isMeant(limit)) continue;
      if (scope.kind === 'model') push(this.#ofModels, scope.model, limit);
      else if (scope.kind === 'prompt') push(this.#ofPrompts, scope.prompt, limit);
      else push(this.#ofTenants, scope.tenant, { limit, concerns: compileConcern(limit) });
    }
  }

  find(names: CallNames): Limit[] {
    const { tenant, model, prompt } = names;
    const found: Limit[] = [];
    for (const { limit, concerns } of this.#ofTenants.get(tenant ?? '') ?? []) {
      if (concerns(names)) found.push(limit);
    }
    appendAll(found, this.#ofModels.get(model ?? '') ?? []);
    if (prompt) appendAll(found, this.#ofPrompts.get(promptNameOf(prompt)) ?? []);
    return found;
  }

  /** What calls used of each, as their records say; of a place among the calls at once nothing is left. */
  listSpendings(records: readonly UsageRecord[], countedAlone?: ReadonlySet<string>): Spending[] {
    return records.flatMap((record) =>
      this.find(record).map((limit) => ({
        limit,
        callId: record.id,
        atMs: record.startedAt,
        countedAlone: countedAlone?.has(record.id) ?? false,
        amount: isBudget(limit) ? amountOf(limit, record.usage ?? NO_USAGE, record.costMicroUsd) : 0,
      })),
    );
  }
}

/** In the unit of the budget's measure. */
export function amountOf({ measure }: Limit, tokens: TokenCounts, costMicroUsd: number | null): number {
  return measure === 'tokens' ? inputTokens(tokens) + outputTokens(tokens) : spentNanoUsd(costMicroUsd ?? 0);
}

/** Of a budget of the call's tenant. */
function compileConcern({ scope }: Limit): Entry['concerns'] {
  if (scope.kind === 'key') return ({ key }) => key === scope.key;
  if (scope.kind === 'tenant_prompt') {
    const matches = compileGlob(scope.prompts);
    return ({ prompt }) => typeof prompt === 'string' && matches(promptNameOf(prompt));
  }
  if (scope.kind !== 'tenant_model') return () => true;
  const matches = compileGlob(scope.models);
  return ({ model }) => typeof model === 'string' && matches(model);
}

function push<Value>(lists: Map<string, Value[]>, name: string, value: Value): void {
  const list = lists.get(name);
  if (list) list.push(value);
  else lists.set(name, [value]);
}
