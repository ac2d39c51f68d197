import { hash } from 'node:crypto';
import { stopProcess } from '../processes.ts';
import { ADMIN_KEY, KEY_LIMITS, readVersion, startFairlead, TENANT_LIMITS } from './fairlead.ts';
import type { RunningSubject, Site, Subject } from './subject.ts';

const TENANTS = 10_000;
const KEYS_EACH = 10;
/** Tenants of which one key calls. */
const CALLING = 64;

/** The same gateway with very many tenants and keys in its store, which it starts with. */
export const fairleadMany: Subject = {
  name: 'fairlead-many',
  start: (site) => startWith(site, TENANTS, KEYS_EACH),
};

/** The same with nobody but those who call: sums of usage are written for as many. */
export const fairleadFew: Subject = {
  name: 'fairlead-few',
  start: (site) => startWith(site, CALLING, 1),
};

async function startWith(site: Site, tenants: number, keysEach: number): Promise<RunningSubject> {
  const first = await startFairlead(site, {});
  await putTenants(first.port, site, tenants, keysEach);
  await stopProcess(first.process);
  const started = await startFairlead(site, {});
  const apiKeys = Array.from({ length: CALLING }, (_, tenant) => secretOf(tenant, 0));
  return { ...started, version: readVersion(), apiKeys };
}

async function putTenants(
  port: number,
  { scenarios }: Site,
  tenantCount: number,
  keysEach: number,
): Promise<void> {
  const models = scenarios.map(({ name }) => name);
  const tenants = Array.from({ length: tenantCount }, (_, tenant) => [
    `t${tenant}`,
    {
      models,
      limits: tenant < CALLING ? TENANT_LIMITS : { requestsPerMinute: 600 },
      keys: Array.from({ length: keysEach }, (_, key) => ({
        name: `k${key}`,
        secretHash: hash('sha256', secretOf(tenant, key), 'hex'),
        ...(tenant < CALLING && { limits: KEY_LIMITS }),
      })),
    },
  ]);
  const answer = await fetch(`http://127.0.0.1:${port}/admin/v1/config`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tenants: Object.fromEntries(tenants) }),
  });
  if (!answer.ok) throw new Error(`the tenants are refused: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

function secretOf(tenant: number, key: number): string {
  return `sk-fl-bench-of-tenant-${tenant}-and-key-${key}-0123456789`;
}
