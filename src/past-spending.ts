import type { ControlNews } from './control/control-news.ts';
import { BudgetIndex, isBudget } from './quotas/budget-index.ts';
import type { Limit } from './quotas/limit.ts';
import type { Quotas, Spending } from './quotas/reservation.ts';
import { isHeldByCall } from './quotas/script-calls.ts';
import { learnSpent } from './quotas/spent-budgets.ts';
import type { Store } from './store/store.ts';
import { reasonOf } from './tell-problems.ts';
import type { TenantEnds } from './tenants/tenant-ends.ts';
import { hasRecord } from './usage/find-call.ts';
import type { Ledger } from './usage/ledger.ts';
import type { UsageRecord } from './usage/record.ts';
import type { RecordTaker } from './usage/recover.ts';

interface PastSpendingOptions {
  store: Store;
  ledger: Ledger;
  quotas: Quotas;
  tenantEnds: TenantEnds;
  news: ControlNews;
  /** All that are in force. */
  limits(): readonly Limit[];
}

/** What was spent of budgets before they were counted here: what the records in the store say, and those that killed processes left. */
export class PastSpending implements RecordTaker {
  readonly #options: PastSpendingOptions;

  constructor(options: PastSpendingOptions) {
    this.#options = options;
  }

  /** Of all budgets, at the start, when what killed processes left is in the store. */
  async learnAll(): Promise<void> {
    await this.#learn(this.#options.limits());
  }

  /** Of budgets that are new. The configuration is written by then: it is in force whatever comes of this. */
  async learn(budgets: readonly Limit[]): Promise<void> {
    if (budgets.length === 0) return;
    const { ledger, quotas, news } = this.#options;
    try {
      await ledger.flush();
      await this.#learn(budgets);
      await quotas.learn(budgets);
    } catch (err) {
      news.tellOften(
        'alarm',
        'budgets_not_learned',
        'budgets count from now on, without what was spent before',
        { budgets: budgets.length, reason: reasonOf(err) },
        { budgets: budgets.length, err },
      );
    }
  }

  /**
   * Takes the records of a killed process over: into the store, and into the budgets that had set something aside for its calls. The
   * places that these had among the calls at once are free.
   */
  async insertRecords(records: readonly UsageRecord[], countedAlone?: ReadonlySet<string>): Promise<void> {
    const { quotas } = this.#options;
    const spendings = await this.#insert(records, isHeldByCall, countedAlone);
    await quotas.recover(spendings);
  }

  /**
   * Takes the record of what no call used (a batch): into the store, and into its budgets. Once, however often it is told the same record.
   * `leastMicroUsd`: what budgets count where its cost is not known.
   */
  async charge(record: UsageRecord, leastMicroUsd: number): Promise<void> {
    const { store, quotas } = this.#options;
    // A process that began to do this and was killed left it to be done again. The counters of this one learned it from the records.
    if (await hasRecord(store, record)) return;
    const spendings = await this.#insert([record], isBudget, new Set([record.id]), leastMicroUsd);
    await quotas.charge(spendings);
  }

  async #insert(
    records: readonly UsageRecord[],
    isMeant: (limit: Limit) => boolean,
    countedAlone: ReadonlySet<string> | undefined,
    leastMicroUsd = 0,
  ): Promise<Spending[]> {
    const { ledger, quotas, limits } = this.#options;
    ledger.priceRecords(records);
    // Of an earlier tenant of a name nothing is noted for the next one's counters while the Redis is away.
    const own = records.filter(
      ({ tenant, startedAt }) => tenant === null || startedAt >= this.#beganMs(tenant),
    );
    const counted = own.map((record) => ({ ...record, costMicroUsd: record.costMicroUsd ?? leastMicroUsd }));
    const spendings = new BudgetIndex(limits(), isMeant).listSpendings(counted, countedAlone);
    // Who learns from the records meanwhile has to know that they are not counted yet.
    await quotas.noteRecovered(spendings);
    await ledger.insertRecords(records);
    return spendings;
  }

  #learn(budgets: readonly Limit[]): Promise<void> {
    const { store, quotas } = this.#options;
    return learnSpent(budgets, store, Date.now(), (tenant) => this.#beganMs(tenant), quotas);
  }

  /** Unix milliseconds: what was before is of an earlier tenant of the name. */
  #beganMs(tenant: string): number {
    return (this.#options.tenantEnds.find(tenant)?.endedAt ?? -1) + 1;
  }
}
