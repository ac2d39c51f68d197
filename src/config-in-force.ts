import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Config } from './config/resolve.ts';
import type { Vault } from './control/veil.ts';
import type { Usage } from './conversation/usage.ts';
import type { CompiledSnapshot } from './gateway/compile-snapshot.ts';
import { listSecrets } from './upstream/secrets.ts';
import { type Account, withNext } from './upstream/upstream.ts';
import { PriceBook } from './usage/prices.ts';

/** How many accounts that are configured no more are remembered: calls that still run may tell of their secrets. */
const MAX_RETIRED_ACCOUNTS = 100;

/** What follows the configuration without being part of a snapshot: the price book, and what no log may hold. */
export class ConfigInForce {
  #compiled: CompiledSnapshot | undefined;
  #config: Config;
  #prices: PriceBook;
  #retired: Account[] = [];
  readonly #vault: Vault;
  readonly #log: Logger;

  constructor(config: Config, vault: Vault, log: Logger) {
    this.#config = config;
    this.#vault = vault;
    this.#log = log;
    this.#prices = buildPriceBook(config, log);
  }

  get compiled(): CompiledSnapshot | undefined {
    return this.#compiled;
  }

  set(compiled: CompiledSnapshot): void {
    const { config } = compiled;
    const kept = new Set(listAccounts(compiled));
    const gone = this.#compiled ? listAccounts(this.#compiled).filter((account) => !kept.has(account)) : [];
    this.#retired = [...this.#retired, ...gone].slice(-MAX_RETIRED_ACCOUNTS);
    if (!isDeepStrictEqual(priceSources(config), priceSources(this.#config)))
      this.#prices = buildPriceBook(config, this.#log);
    this.#config = config;
    this.#compiled = compiled;
  }

  costMicroUsd(target: string, usage: Usage, at: number): number | null {
    return this.#prices.costMicroUsd(target, usage, at);
  }

  /** Secrets of keys that the gateway made are nowhere but with whoever has them; those of the file are in the vault. */
  secrets(): string[] {
    const { tenants, adminKeys, adminKey } = this.#config;
    const accounts = [...(this.#compiled ? listAccounts(this.#compiled) : []), ...this.#retired];
    const keys = [...Object.values(tenants).flatMap((tenant) => tenant.keys), ...Object.values(adminKeys)];
    return listSecrets([
      ...accounts.flatMap((account) => account.secrets()),
      ...keys.map(({ secret }) => secret),
      ...this.#vault.secrets(),
      adminKey,
    ]);
  }
}

function listAccounts({ snapshot }: CompiledSnapshot): Account[] {
  return [...snapshot.routes.upstreams.values()].flatMap((upstream) => withNext(upstream.accounts));
}

function priceSources({ prices, providers }: Config): object {
  return { prices, adapters: Object.entries(providers).map(([name, { adapter }]) => [name, adapter]) };
}

function buildPriceBook(config: Config, log: Logger): PriceBook {
  const adapters = Object.entries(config.providers).map(([name, { adapter }]) => [name, adapter] as const);
  return new PriceBook({
    prices: config.prices,
    adapters: Object.fromEntries(adapters),
    onUnknownPrice: (target, reason) =>
      log.warn(
        { event: 'unknown_price', target, reason },
        'calls of this target are recorded without a cost',
      ),
  });
}
