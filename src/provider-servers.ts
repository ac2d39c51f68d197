import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import type { ControlNews } from './control/control-news.ts';
import { FileWatch } from './control/file-watch.ts';
import type { JsonObject } from './conversation/json.ts';
import { kindOfStatus } from './dialects/reported-error.ts';
import { namedWaitMs } from './gateway/named-wait.ts';
import { cappedMs } from './routing/limit.ts';
import type { ServerNews } from './upstream/addresses/address-watch.ts';
import { AddressWatches } from './upstream/addresses/address-watches.ts';
import { probeAddress } from './upstream/addresses/probe.ts';
import type { Connections } from './upstream/connections.ts';
import type { AnswerHeaders } from './upstream/exchange.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** Of one question to one DNS server; the second waits twice as long. */
const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/** How many addresses an event names. */
const MOST_NAMED = 20;

export interface ProviderServersOptions {
  connections: Connections;
  news: ControlNews;
  /** Asks endpoints that list addresses. */
  fetch: typeof globalThis.fetch;
}

/** What looks up and checks the servers of providers, with what it needs of this process. */
export function watchServers({ connections, news, fetch }: ProviderServersOptions): AddressWatches {
  return new AddressWatches({
    now: Date.now,
    schedule: scheduleTimeout,
    fetch,
    readFile: (path) => readFile(path, 'utf8'),
    watchFile: (path, onChange) => {
      const watch = new FileWatch(path, onChange);
      watch.start();
      return () => watch.stop();
    },
    createResolver: (server) => {
      const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
      if (server !== undefined) resolver.setServers([server]);
      return resolver;
    },
    probe: (options) =>
      probeAddress({ connections, schedule: scheduleTimeout, namedWaitMs: namedForCheck }, options),
    retire: ({ key }) => connections.retire(key),
    news: tellOfServers(news),
  });
}

/** The words of an answer to a check are not read. */
function namedForCheck(status: number, headers: AnswerHeaders): number | undefined {
  const waitMs = namedWaitMs({ kind: kindOfStatus(status), message: '' }, headers, Date.now());
  return waitMs === undefined ? undefined : cappedMs(waitMs);
}

/** Each change, as long as it is the only one of its place within a minute: that of one address hides that of no other. */
function tellOfServers(news: ControlNews): ServerNews {
  const tellOf = (
    severity: 'info' | 'warning',
    kind: string,
    message: string,
    details: JsonObject & { provider: string; account: string; address: string },
  ) => {
    const { provider, account, address } = details;
    news.tellOften(severity, kind, message, details, details, `${provider}\n${account}\n${address}`);
  };
  return {
    lookUpFailed: (provider, reason, kept) => {
      const stay = kept === 0 ? 'it has none' : `the ${kept} that it had stay in use`;
      const message = `The addresses of the provider '${provider}' cannot be looked up: ${stay}.`;
      news.tell('alarm', 'discovery_failed', message, { provider, reason, addresses: kept });
    },
    lookUpRecovered: (provider, found) => {
      const message = `The addresses of the provider '${provider}' are looked up again.`;
      news.tell('info', 'discovery_recovered', message, { provider, addresses: found });
    },
    changed: (provider, added, removed) => {
      const message = `The provider '${provider}' has other addresses.`;
      const details = {
        ...{ provider, added: added.slice(0, MOST_NAMED), removed: removed.slice(0, MOST_NAMED) },
        ...{ addedCount: added.length, removedCount: removed.length },
      };
      news.tellOften('info', 'addresses_changed', message, details, details, provider);
    },
    ejected: (provider, account, { origin: address, lastError }, forMs) => {
      const message = `An address of '${provider}' is left out for a while: its attempts fail, and those of others do not.`;
      const details = { provider, account, address, reason: lastError ?? null, forSeconds: forMs / 1000 };
      tellOf('warning', 'address_ejected', message, details);
    },
    readmitted: (provider, account, { origin: address }) => {
      const message = `An address of '${provider}' that was left out for its failures is let in again.`;
      tellOf('info', 'address_readmitted', message, { provider, account, address });
    },
    turned: (provider, account, { origin: address, isWell, lastError }) => {
      const details = { provider, account, address };
      if (isWell) {
        tellOf('info', 'address_healthy', `An address of '${provider}' is used again.`, details);
        return;
      }
      const message = `An address of '${provider}' is not used until it is back.`;
      tellOf('warning', 'address_unhealthy', message, { ...details, reason: lastError ?? null });
    },
  };
}
