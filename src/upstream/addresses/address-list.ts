import { isIPv4, isIPv6 } from 'node:net';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { FoundAddress } from './address.ts';

/** More servers than anybody lists by a slip: of the wrong file, say. */
const MOST_ADDRESSES = 1_000;

type Share = Pick<FoundAddress, 'weight' | 'priority'>;

const LONE: Share = { weight: 1, priority: 0 };

/**
 * Reads what a file or an endpoint lists. Either lines, each an address, `#` begins a comment; or JSON: a list, or
 * `{"addresses": […]}`, whose entries are
 *
 * - an address: `"10.0.0.7:8000"`, `"[fd00::7]:8000"`, `"gpu-7.example"`, `"https://gpu-7.example:8443"`
 * - one with its share: `{"address": "…", "weight": 2, "priority": 0}`
 * - services of Consul, as `/v1/health/service/NAME` and `/v1/catalog/service/NAME` have them
 * - target groups of Prometheus (`http_sd_config`, `file_sd_config`): `{"targets": ["…"], "labels": {}}`
 *
 * @throws Error naming the first entry that cannot be read, without its words: it may be of another file, with secrets. A list is
 *   taken whole or not at all.
 */
export function readAddressList(text: string): FoundAddress[] {
  const json = tryParseJson(text);
  const entries = isObject(json) ? json['addresses'] : json;
  if (Array.isArray(entries)) {
    return checkLength(entries.flatMap((entry, index) => readEntry(entry) ?? refuse(`entry ${index + 1}`)));
  }
  if (isObject(json)) throw new Error('a JSON object without a list of addresses');
  if (/^\s*(?:\{|\[\s*["{])/.test(text)) throw new Error('broken JSON');
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(?:^|\s)#.*$/, '').trim());
  return checkLength(
    lines.flatMap((line, index) => {
      if (line === '') return [];
      return readAddress(line, LONE) ?? refuse(`line ${index + 1}`);
    }),
  );
}

function refuse(place: string): never {
  throw new Error(`${place} is no address`);
}

function checkLength(addresses: FoundAddress[]): FoundAddress[] {
  if (addresses.length > MOST_ADDRESSES) throw new Error(`more than ${MOST_ADDRESSES} addresses`);
  return addresses;
}

/** `undefined` for what is none, as in all that follows. */
function readEntry(entry: JsonValue): FoundAddress[] | undefined {
  if (typeof entry === 'string') return listed(readAddress(entry, LONE));
  if (!isObject(entry)) return undefined;
  const { address, targets, Service, ServicePort } = entry;
  if (typeof address === 'string') return readShared(address, entry);
  if (Array.isArray(targets)) {
    const read = targets.map(readEntry);
    return read.every((one) => one !== undefined) ? read.flat() : undefined;
  }
  if (isObject(Service)) return readConsulService(entry, Service);
  return ServicePort === undefined ? undefined : listed(readConsulCatalog(entry));
}

function listed(address: FoundAddress | undefined): FoundAddress[] | undefined {
  return address && [address];
}

function readShared(address: string, { weight = 1, priority = 0 }: JsonObject): FoundAddress[] | undefined {
  if (typeof weight !== 'number' || weight < 0 || typeof priority !== 'number' || priority < 0)
    return undefined;
  return listed(readAddress(address, { weight, priority }));
}

/** Where a service has no address of its own, its node's is meant. Instances that Consul's checks find failing are left out. */
function readConsulService({ Node, Checks }: JsonObject, service: JsonObject): FoundAddress[] | undefined {
  const statuses = Array.isArray(Checks)
    ? Checks.map((check) => (isObject(check) ? check['Status'] : undefined))
    : [];
  if (statuses.some((status) => status === 'critical' || status === 'maintenance')) return [];
  const weights = isObject(service['Weights']) ? service['Weights'] : {};
  const weight = statuses.includes('warning') ? weights['Warning'] : weights['Passing'];
  const host = service['Address'] || (isObject(Node) ? Node['Address'] : undefined);
  return listed(readConsul(host, service['Port'], weight));
}

function readConsulCatalog(entry: JsonObject): FoundAddress | undefined {
  const { ServiceWeights, ServiceAddress, Address, ServicePort } = entry;
  const weight = isObject(ServiceWeights) ? ServiceWeights['Passing'] : undefined;
  return readConsul(ServiceAddress || Address, ServicePort, weight);
}

function readConsul(
  host: JsonValue | undefined,
  port: JsonValue | undefined,
  weight: JsonValue | undefined,
): FoundAddress | undefined {
  if (typeof host !== 'string' || !isHost(host)) return undefined;
  if (typeof port !== 'number' || !isPort(port)) return undefined;
  return { host, port, priority: 0, weight: typeof weight === 'number' && weight >= 0 ? weight : 1 };
}

const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^[\]:/\s]+))(?::(\d{1,5}))?$/;

function readAddress(text: string, share: Share): FoundAddress | undefined {
  if (/^https?:\/\//i.test(text)) return readUrl(text, share);
  if (isIPv6(text)) return { host: text, ...share };
  const [, bracketed, plain, port] = HOST_AND_PORT.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const isNamed = bracketed === undefined ? isHost(host) : isIPv6(host);
  if (!isNamed || (port !== undefined && !isPort(Number(port)))) return undefined;
  return { host, ...(port !== undefined && { port: Number(port) }), ...share };
}

function readUrl(text: string, share: Share): FoundAddress | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
  if (search + hash + username + password !== '') return undefined;
  return {
    scheme: protocol === 'https:' ? 'https:' : 'http:',
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port !== '' && { port: Number(port) }),
    path: pathname,
    ...share,
  };
}

/** A name, or an address; what only looks like an address is neither. */
function isHost(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return isIPv6(host) || /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?$/.test(host);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
