import type { Logger } from 'pino';
import type { Config } from './config/resolve.ts';
import type { Vault } from './control/veil.ts';
import { isSameInOrder, type JsonValue } from './conversation/json.ts';
import type { Usage } from './conversation/usage.ts';
import type { CompiledSnapshot } from './gateway/compile-snapshot.ts';
import type { Secrets } from './telemetry/redacting-log.ts';
import { listSecrets, ManySecrets } from './upstream/secrets.ts';
import { type Account, withNext } from './upstream/upstream.ts';
import { PriceBook } from './usage/prices.ts';
import type { AskedKind } from './usage/rates.ts';

/** How many accounts that are configured no more are remembered: calls that still run may tell of their secrets. */
const MAX_RETIRED_ACCOUNTS = 100;

/** Secrets of keys beyond which there is no pattern of all of them. */
const MOST_PATTERNS = 500;
const NO_SECRETS = new ManySecrets([]);

/** What follows the configuration without being part of a snapshot: the price book, and what no log may hold. */
export class ConfigInForce {
  #compiled: CompiledSnapshot | undefined;
  #config: Config;
  #prices: PriceBook;
  #retired: Account[] = [];
  #keySecrets: Set<string>;
  /** Made when a log asks for it, and kept until there are others. */
  #many: { ofConfig: Set<string>; size: number; secrets: ManySecrets } | undefined;
  readonly #vault: Vault;
  readonly #log: Logger;

  constructor(config: Config, vault: Vault, log: Logger) {
    this.#config = config;
    this.#vault = vault;
    this.#log = log;
    this.#prices = buildPriceBook(config, log);
    this.#keySecrets = listKeySecrets(config);
  }

  get config(): Config {
    return this.#config;
  }

  get compiled(): CompiledSnapshot | undefined {
    return this.#compiled;
  }

  set(compiled: CompiledSnapshot): void {
    const { config } = compiled;
    const kept = new Set(listAccounts(compiled));
    const gone = this.#compiled ? listAccounts(this.#compiled).filter((account) => !kept.has(account)) : [];
    this.#retired = [...this.#retired, ...gone].slice(-MAX_RETIRED_ACCOUNTS);
    if (!isSameInOrder(priceSources(config), priceSources(this.#config)))
      this.#prices = buildPriceBook(config, this.#log);
    if (config !== this.#config) this.#keySecrets = listKeySecrets(config);
    this.#config = config;
    this.#compiled = compiled;
  }

  isConfigured(target: string): boolean {
    return this.#prices.isConfigured(target);
  }

  costMicroUsd(target: string, usage: Usage, at: number, isOwnKind = false): number | null {
    return this.#prices.costMicroUsd(target, usage, at, isOwnKind);
  }

  mostMicroUsd(
    target: string,
    tokens: Pick<Usage, 'input' | 'output' | 'tier'>,
    at: number,
    reaches: (kind: AskedKind) => boolean,
  ): number | null {
    return this.#prices.mostMicroUsd(target, tokens, at, reaches);
  }

  /** What no log may hold. Secrets of keys that the gateway made are nowhere but with whoever has them. */
  secrets(): Secrets {
    const accounts = [...(this.#compiled ? listAccounts(this.#compiled) : []), ...this.#retired];
    const own = [
      ...accounts.flatMap((account) => account.secrets()),
      ...this.#vault.secrets(),
      this.#config.adminKey,
      ...Object.values(this.#config.providers).flatMap(({ discovery }) =>
        Object.values(discovery?.headers ?? {}),
      ),
      ...listWebhookSecrets(this.#config),
    ];
    const [ofConfig, ofFile] = [this.#keySecrets, this.#vault.keySecrets];
    const size = ofConfig.size + ofFile.size;
    if (size <= MOST_PATTERNS)
      return { few: listSecrets([...own, ...ofConfig, ...ofFile]), many: NO_SECRETS };
    // Those of the file only become more.
    if (this.#many?.ofConfig !== ofConfig || this.#many.size !== size) {
      this.#many = { ofConfig, size, secrets: new ManySecrets([...ofConfig, ...ofFile]) };
    }
    return { few: listSecrets(own), many: this.#many.secrets };
  }
}

/** The secrets of keys as the configuration has them: written out, or put in from the environment. */
function listKeySecrets({ tenants, adminKeys }: Config): Set<string> {
  const secrets = new Set<string>();
  const add = ({ secret }: { secret?: string | undefined }) => secret !== undefined && secrets.add(secret);
  for (const { keys } of Object.values(tenants)) keys.forEach(add);
  Object.values(adminKeys).forEach(add);
  return secrets;
}

/** As they are written, and without what all begin with. */
function listWebhookSecrets({ webhooks }: Config): (string | undefined)[] {
  return Object.values(webhooks)
    .flatMap(({ secret, previousSecret }) => [secret, previousSecret])
    .flatMap((secret) => [secret, secret?.replace(/^whsec_/, '')]);
}

function listAccounts({ snapshot }: CompiledSnapshot): Account[] {
  return [...snapshot.routes.upstreams.values()].flatMap((upstream) => withNext(upstream.accounts));
}

/** In their order: of several prices that fit, the first counts. */
function priceSources({ prices, providers }: Config): JsonValue {
  const adapters = Object.entries(providers).map(([name, { adapter }]) => [name, adapter]);
  return [Object.entries(prices), adapters];
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
