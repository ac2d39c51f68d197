import { isIP, isIPv4, isIPv6 } from 'node:net';
import { pattern, text } from './fields.ts';

/*
 * The building blocks of what the schema has about servers that come and go.
 */

/** An endpoint that is only read, which may have a query. */
export function listUrl() {
  const expected = 'an http:// or https:// URL without credentials or "#"';
  return pattern(/^https?:\/\/[^\s#@]+$/, expected).refine((url) => URL.canParse(url), { error: expected });
}

/** A path as it stands in a request: at the root of a server with a slash, else below a base URL. */
export function checkPath() {
  const expected = 'a path such as /health, or models below the base URL';
  return pattern(/^(?!\/\/|[A-Za-z][A-Za-z0-9+.-]*:)[!"$-~]+$/, expected);
}

/** Labels may begin with `_`, as those of SRV records do. */
export function dnsName() {
  const label = '[A-Za-z0-9_][A-Za-z0-9_-]{0,62}';
  return pattern(new RegExp(`^(?=.{1,254}$)${label}(?:\\.${label})*\\.?$`), 'a host name');
}

/** As `node:dns` takes a server. */
export function dnsServer() {
  const expected = 'the IP address of a DNS server, with a port where it is not 53, such as 127.0.0.1:8600';
  return text(expected).refine(isDnsServer, { error: expected });
}

function isDnsServer(written: string): boolean {
  if (isIP(written) !== 0) return true;
  const [, bracketed = '', plain = '', port] = /^(?:\[(.+)\]|([\d.]+)):(\d{1,5})$/.exec(written) ?? [];
  const isPort = Number(port) >= 1 && Number(port) <= 65_535;
  return isPort && (isIPv6(bracketed) || isIPv4(plain));
}
