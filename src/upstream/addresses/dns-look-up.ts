import type { FoundAddress } from './address.ts';
import type { DiscoveryOptions, LookUpContext, Resolver } from './look-up.ts';

/** What is no failure: the name has no records of the kind, or is not there (RFC 2308 2). */
const HAS_NONE: ReadonlySet<unknown> = new Set(['ENODATA', 'ENOTFOUND']);

/**
 * Finds addresses by DNS: A and AAAA records with one port for all, or SRV records (RFC 2782), each of whose targets is looked up
 * in turn. A record that cannot be asked for counts with its last answer, where the others could be: one slow server is no reason to
 * lose half of the addresses.
 */
export class DnsLookUp {
  readonly #options: DiscoveryOptions & { dns: string };
  readonly #context: LookUpContext;
  /** The last answers, by kind and name. */
  #known = new Map<string, string[]>();

  constructor(options: DiscoveryOptions & { dns: string }, context: LookUpContext) {
    this.#options = options;
    this.#context = context;
  }

  async run(): Promise<FoundAddress[]> {
    const { dns, type, port, server } = this.#options;
    // A new one each time: it reads the system's servers again, and remembers no answers.
    const resolver = this.#context.createResolver(server);
    const asked = new Asked(resolver, this.#known);
    const found =
      type === 'SRV'
        ? await findServices(resolver, dns, asked)
        : (await asked.addresses(dns)).map((host) => ({ host, port, weight: 1, priority: 0 }));
    if (asked.failure !== undefined && !asked.isAnswered) throw asked.failure;
    this.#known = asked.answers;
    return found;
  }
}

/** The answers of one look-up. */
class Asked {
  readonly answers = new Map<string, string[]>();
  /** One question was answered, by however little. */
  isAnswered = false;
  /** Of a question that was not. */
  failure: unknown;
  readonly #resolver: Resolver;
  readonly #known: ReadonlyMap<string, string[]>;

  constructor(resolver: Resolver, known: ReadonlyMap<string, string[]>) {
    this.#resolver = resolver;
    this.#known = known;
  }

  /**
   * The addresses of a name, of both families.
   *
   * @throws Error where neither could be asked for
   */
  async addresses(name: string): Promise<string[]> {
    const families = await Promise.allSettled([
      this.#ask(`A ${name}`, () => this.#resolver.resolve4(name)),
      this.#ask(`AAAA ${name}`, () => this.#resolver.resolve6(name)),
    ]);
    const failed = families.filter((family) => family.status === 'rejected');
    if (failed.length === families.length) throw failed[0]?.reason;
    return families.flatMap((family) => (family.status === 'fulfilled' ? family.value : []));
  }

  async #ask(question: string, resolve: () => Promise<string[]>): Promise<string[]> {
    try {
      const answer = await orNone(resolve);
      this.answers.set(question, answer);
      this.isAnswered = true;
      return answer;
    } catch (error) {
      this.failure = error;
      const known = this.#known.get(question);
      if (known === undefined) throw error;
      this.answers.set(question, known);
      return known;
    }
  }
}

async function findServices(resolver: Resolver, name: string, asked: Asked): Promise<FoundAddress[]> {
  // The root as a target: "the service is decidedly not available" (RFC 2782).
  const records = (await orNone(() => resolver.resolveSrv(name))).filter(
    (record) => record.name !== '' && record.name !== '.',
  );
  const targets = [...new Set(records.map((record) => record.name))];
  const resolved = await Promise.allSettled(targets.map((target) => asked.addresses(target)));
  const failed = resolved.find((result) => result.status === 'rejected');
  if (failed && resolved.every((result) => result.status === 'rejected')) throw failed.reason;
  return records.flatMap(({ name: target, port, weight, priority }) => {
    const result = resolved[targets.indexOf(target)];
    const hosts = result?.status === 'fulfilled' ? result.value : [];
    return hosts.map((host) => ({ host, port, weight: weight / hosts.length, priority }));
  });
}

async function orNone<T>(resolve: () => Promise<T[]>): Promise<T[]> {
  try {
    return await resolve();
  } catch (error) {
    if (error instanceof Error && 'code' in error && HAS_NONE.has(error.code)) return [];
    throw error;
  }
}
