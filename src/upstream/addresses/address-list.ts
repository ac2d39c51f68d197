import { isIPv4, isIPv6 } from 'node:net';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { FoundAddress } from './address.ts';

/** More servers than anybody lists by a slip: of the wrong file, say. */
const MOST_ADDRESSES = 1_000;

const LONE = { weight: 1, priority: 0 } as const;

/**
 * Reads what a file or an endpoint lists. Either lines, each an address, `#` begins a comment; or JSON: a list, or
 * `{"addresses": […]}`, whose entries are
 *
 * - an address: `"10.0.0.7:8000"`, `"[fd00::7]:8000"`, `"gpu-7.example"`, `"https://gpu-7.example:8443"`
 * - one with its share: `{"address": "…", "weight": 2, "priority": 0}`
 * - services of Consul, as `/v1/health/service/NAME` and `/v1/catalog/service/NAME` have them
 * - target groups of Prometheus (`http_sd_config`, `file_sd_config`): `{"targets": ["…"], "labels": {}}`
 *
 * @throws Error naming the first entry that cannot be read: a list is taken whole or not at all
 */
export function readAddressList(text: string): FoundAddress[] {
  const json = tryParseJson(text);
  const entries = isObject(json) ? json['addresses'] : json;
  if (Array.isArray(entries)) return checkLength(entries.flatMap(readEntry));
  if (isObject(json)) throw new Error('a JSON object without a list of addresses');
  if (/^\s*(?:\{|\[\s*["{])/.test(text)) throw new Error('broken JSON');
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(?:^|\s)#.*$/, '').trim());
  return checkLength(lines.filter((line) => line !== '').map((line) => readAddress(line, LONE)));
}

function checkLength(addresses: FoundAddress[]): FoundAddress[] {
  if (addresses.length > MOST_ADDRESSES) throw new Error(`more than ${MOST_ADDRESSES} addresses`);
  return addresses;
}

function readEntry(entry: JsonValue): FoundAddress[] {
  if (typeof entry === 'string') return [readAddress(entry, LONE)];
  if (isObject(entry)) {
    const { address, targets, Service, ServicePort } = entry;
    if (typeof address === 'string') return [readAddress(address, readShare(entry))];
    if (Array.isArray(targets)) return targets.flatMap(readEntry);
    if (isObject(Service)) return readConsulService(entry, Service);
    if (ServicePort !== undefined) return [readConsulCatalog(entry)];
  }
  throw notRead(entry);
}

function readShare(entry: JsonObject): { weight: number; priority: number } {
  const { weight = 1, priority = 0 } = entry;
  if (typeof weight !== 'number' || weight < 0) throw notRead(entry);
  if (typeof priority !== 'number' || priority < 0) throw notRead(entry);
  return { weight, priority };
}

/** Where a service has no address of its own, its node's is meant. Instances that Consul's checks find failing are left out. */
function readConsulService(entry: JsonObject, service: JsonObject): FoundAddress[] {
  const { Node, Checks } = entry;
  const statuses = Array.isArray(Checks)
    ? Checks.map((check) => (isObject(check) ? check['Status'] : undefined))
    : [];
  if (statuses.some((status) => status === 'critical' || status === 'maintenance')) return [];
  const weights = isObject(service['Weights']) ? service['Weights'] : {};
  const weight = statuses.includes('warning') ? weights['Warning'] : weights['Passing'];
  const host = service['Address'] || (isObject(Node) ? Node['Address'] : undefined);
  return [readConsul(entry, host, service['Port'], weight)];
}

function readConsulCatalog(entry: JsonObject): FoundAddress {
  const { ServiceWeights, ServiceAddress, Address, ServicePort } = entry;
  const weight = isObject(ServiceWeights) ? ServiceWeights['Passing'] : undefined;
  return readConsul(entry, ServiceAddress || Address, ServicePort, weight);
}

function readConsul(
  entry: JsonValue,
  host: JsonValue | undefined,
  port: JsonValue | undefined,
  weight: JsonValue | undefined,
): FoundAddress {
  if (typeof host !== 'string' || !isHost(host)) throw notRead(entry);
  if (typeof port !== 'number' || !isPort(port)) throw notRead(entry);
  return { host, port, priority: 0, weight: typeof weight === 'number' && weight >= 0 ? weight : 1 };
}

const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^[\]:/\s]+))(?::(\d{1,5}))?$/;

function readAddress(text: string, share: { weight: number; priority: number }): FoundAddress {
  if (/^https?:\/\//i.test(text)) return readUrl(text, share);
  if (isIPv6(text)) return { host: text, ...share };
  const [, bracketed, plain, port] = HOST_AND_PORT.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const isNamed = bracketed === undefined ? isHost(host) : isIPv6(host);
  if (!isNamed || (port !== undefined && !isPort(Number(port)))) throw notRead(text);
  return { host, ...(port !== undefined && { port: Number(port) }), ...share };
}

function readUrl(text: string, share: { weight: number; priority: number }): FoundAddress {
  if (!URL.canParse(text)) throw notRead(text);
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
  if (username + password !== '') throw new Error('a URL with credentials');
  if (search + hash !== '') throw notRead(text);
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

function notRead(entry: JsonValue): Error {
  const text = JSON.stringify(entry);
  return new Error(`an entry that is no address: ${text.length > 100 ? `${text.slice(0, 100)}…` : text}`);
}
