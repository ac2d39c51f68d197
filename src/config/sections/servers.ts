import { z } from 'zod';
import { isObject } from '../../conversation/json.ts';
import { count, exactlyOne, headers, ratio, text, timeout } from '../fields.ts';
import { checkPath, dnsName, dnsServer, listUrl } from '../server-fields.ts';

/** How it is told whether a provider's servers are well. */
export const healthSchema = z.strictObject({
  check: z
    .strictObject({
      path: checkPath().describe(
        'Path that answers 2xx when the server is well: /health stands at the root of the server, models below the base URL.',
      ),
      interval: timeout().default(5_000).describe('Time between two checks of an address that is well.'),
      timeout: timeout().default(2_000).describe('Time after which a check has failed.'),
      unhealthyAfter: count(1)
        .default(3)
        .describe('Checks that fail one after another before an address is not used any more.'),
      healthyAfter: count(1)
        .default(2)
        .describe('Checks that go well one after another before it is used again.'),
    })
    .optional()
    .describe('An active check of each address, beside the outcomes of real calls.'),
  breaker: z
    .strictObject({
      errorRate: ratio().optional().describe('Share of failed attempts that opens the breaker.'),
      minCalls: count(1).optional().describe('Attempts in the window before the share counts.'),
      window: timeout().optional().describe('How far back outcomes count.'),
      openFor: timeout().optional().describe('How long nothing is sent before a probe.'),
    })
    .optional()
    .describe('When the circuit breaker opens and closes.'),
});

const KINDS = ['dns', 'file', 'url'] as const;
const discovery = exactlyOne('dns', 'file', 'url');

/** What else may stand beside each of them: anything more would be silently without effect. */
const BESIDE = {
  dns: ['type', 'port', 'server', 'interval'],
  file: [],
  url: ['headers', 'interval'],
} as const satisfies Record<(typeof KINDS)[number], readonly string[]>;

export const discoverySchema = z
  .strictObject({
    dns: dnsName()
      .optional()
      .describe('Name whose records are the addresses, in full: search domains are not tried.'),
    type: z
      .enum(['A', 'SRV'])
      .optional()
      .describe(
        'Kind of DNS record; A, which is also AAAA, where absent. SRV has ports, priorities and weights.',
      ),
    port: count(1, 65535)
      .optional()
      .describe('Port of addresses from A records; that of the base URL where absent.'),
    server: dnsServer().optional().describe("DNS server to ask, IP or IP:PORT; the system's where absent."),
    file: text('the path of a file').optional().describe('A watched file that lists the addresses.'),
    url: listUrl().optional().describe('An endpoint that lists the addresses.'),
    headers: headers().optional().describe('Headers sent to the endpoint, such as a token for it.'),
    interval: timeout().optional().describe('Time between two look-ups; 10s where absent.'),
  })
  .refine(discovery.check, { error: discovery.error })
  .refine((written) => findBeside(written).length === 0, {
    error: ({ input }) =>
      `only fields that have an effect beside it: take out ${findBeside(input).join(', ')}`,
  });

function findBeside(written: unknown): string[] {
  if (!isObject(written)) return [];
  const kind = KINDS.find((key) => written[key] !== undefined);
  if (kind === undefined) return [];
  const isSrv = kind === 'dns' && written['type'] === 'SRV';
  const allowed: readonly string[] = [...KINDS, ...BESIDE[kind].filter((key) => !isSrv || key !== 'port')];
  return Object.keys(written).filter((key) => written[key] !== undefined && !allowed.includes(key));
}
