import type { SrvRecord } from 'node:dns';
import type { FoundAddress } from './address.ts';
import { readAddressList } from './address-list.ts';
import { DnsLookUp } from './dns-look-up.ts';

/** Where a provider's addresses are found, as it is configured. */
export interface DiscoveryOptions {
  dns?: string | undefined;
  type?: 'A' | 'SRV' | undefined;
  port?: number | undefined;
  /** The DNS server, where it is not the system's. */
  server?: string | undefined;
  file?: string | undefined;
  url?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds between two look-ups. */
  interval?: number | undefined;
}

/** The part of Node's resolver that is used. */
export interface Resolver {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  resolveSrv(name: string): Promise<SrvRecord[]>;
}

/** What look-ups see of the world. */
export interface LookUpContext {
  /** `server`: as `node:dns` takes it; absent: those of the system. */
  createResolver(server: string | undefined): Resolver;
  fetch: typeof globalThis.fetch;
  readFile(path: string): Promise<string>;
  /** Runs a task once after a delay; the function given back calls it off. */
  schedule(task: () => void, delayMs: number): () => void;
}

/**
 * One look-up.
 *
 * @throws Error where it failed; an empty list is none
 */
export type LookUp = () => Promise<FoundAddress[]>;

const ANSWER_MS = 5_000;
const MOST_BYTES = 1024 * 1024;

export function createLookUp(options: DiscoveryOptions, context: LookUpContext): LookUp {
  const { dns, file, url } = options;
  if (dns !== undefined) {
    const lookUp = new DnsLookUp({ ...options, dns }, context);
    return () => lookUp.run();
  }
  if (file !== undefined) return async () => readAddressList(await context.readFile(file));
  if (url !== undefined) return () => askEndpoint(url, options.headers, context);
  throw new Error('a discovery without a source, which the config check lets no one have');
}

/** Not by a redirect: the headers may be a credential. */
async function askEndpoint(
  url: string,
  headers: DiscoveryOptions['headers'],
  { fetch, schedule }: LookUpContext,
): Promise<FoundAddress[]> {
  const abort = new AbortController();
  const callOff = schedule(() => abort.abort(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  try {
    const response = await fetch(url, { headers: { ...headers }, redirect: 'error', signal: abort.signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the endpoint answered with status ${response.status}`);
    }
    return readAddressList(await readText(response));
  } finally {
    callOff();
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`the endpoint answered with more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
