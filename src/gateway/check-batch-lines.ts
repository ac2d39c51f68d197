import { appendAll } from '../conversation/append-all.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { HeldReference } from '../dialects/held-references.ts';
import { MultipartScan } from '../dialects/multipart/scan.ts';
import { isOf } from '../tenants/owner.ts';
import { inLine, isBlank, LineCutter, type NamedInLine, readBatchLine } from './batch-lines.ts';
import type { Call } from './call.ts';
import { OF_ANSWERS } from './check-held.ts';
import { noId } from './check-texts.ts';
import type { Gateway } from './gateway.ts';
import { isLeftBehind, keyOf } from './note-held.ts';
import type { PlannedAttempt } from './plan.ts';
import { heldNotFound } from './refuse-held.ts';
import { ownerOf } from './snapshot.ts';

/** However much a line names, and the lines together of what is to be theirs: no more is looked for. */
const MAX_REFERENCES = 500;
/** So many ids are remembered, so that a file that all lines name is looked for once. */
const MAX_REMEMBERED = 1000;

const BATCH = /batch/i;

/**
 * Hands on a form that uploads a file, and looks meanwhile into the lines of one for a batch: what they name must be what
 * its tenant may name in a call. A file whose purpose stands behind it is looked into as if it were one; what was found then
 * is told once the purpose is known, before the form is whole at the provider.
 *
 * @throws GatewayError `invalid_request`, `payload_too_large` for what is no line, as for an id that nobody has.
 */
export async function* checkBatchLines(
  gateway: Gateway,
  call: Call,
  planned: PlannedAttempt,
  chunks: AsyncIterable<Buffer>,
  boundary: string,
): AsyncGenerator<Buffer> {
  const lines = new BatchLines(gateway, call, planned);
  const scan = new MultipartScan(boundary, new Set(['purpose']), (bytes) => lines.push(bytes));
  for await (const chunk of chunks) {
    scan.push(chunk);
    if (scan.isOver) lines.end();
    await lines.check();
    const purpose = scan.fields.get('purpose')?.value;
    const isBatch = purpose === undefined ? scan.isOver : BATCH.test(purpose);
    if (isBatch && lines.fault !== undefined) {
      throw purpose === undefined ? withoutPurpose(lines.fault) : lines.fault;
    }
    lines.isOfBatch = isBatch || purpose === undefined;
    yield chunk;
  }
}

/** A file of which nobody says what it is for may be a batch's; if it cannot be one, what is missing is the purpose. */
function withoutPurpose(fault: unknown): unknown {
  if (!(fault instanceof GatewayError)) return fault;
  return invalidRequest(
    `'purpose' is missing. A file without one may be for a batch, which this is not: ${fault.message} Say what it is for, e.g. 'user_data'.`,
    'purpose',
    fault.code,
  );
}

class BatchLines {
  /** What is wrong with the first line with which something is: it is thrown where the file is for a batch. */
  fault: unknown;
  /** As far as is known. */
  isOfBatch = true;
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #provider: string;
  readonly #account: string;
  readonly #filesInTexts: string | undefined;
  readonly #cutter: LineCutter;
  #waiting: Buffer[] = [];
  #line = 0;
  readonly #allowed = new Set<string>();
  readonly #claimed = new Map<string, HeldReference>();

  constructor(gateway: Gateway, call: Call, { target, account }: PlannedAttempt) {
    this.#gateway = gateway;
    this.#call = call;
    this.#provider = target.upstream.name;
    this.#account = account.name;
    this.#filesInTexts = target.upstream.declaration.filesInTexts;
    this.#cutter = new LineCutter(call.snapshot.maxBodyBytes);
  }

  push(bytes: Buffer): void {
    this.#try(() => appendAll(this.#waiting, this.#cutter.push(bytes)));
  }

  end(): void {
    this.#try(() => appendAll(this.#waiting, this.#cutter.end()));
  }

  #try(step: () => void): void {
    if (this.fault !== undefined || !this.isOfBatch) return;
    try {
      step();
    } catch (thrown) {
      this.fault = inLine(thrown, this.#cutter.line);
    }
  }

  /** Checks the lines that have arrived. */
  async check(): Promise<void> {
    for (const line of this.#waiting.splice(0)) {
      if (this.fault !== undefined) return;
      this.#line++;
      if (isBlank(line)) continue;
      try {
        const named = readBatchLine(line, this.#filesInTexts);
        if (named.references.length > 0 || named.previous !== undefined) await this.#checkNamed(named);
      } catch (thrown) {
        // What is not the line's fault is everybody's matter, whatever the file is for.
        if (!(thrown instanceof GatewayError)) throw thrown;
        this.fault = inLine(thrown, this.#line);
      }
    }
  }

  async #checkNamed({ references, previous }: NamedInLine): Promise<void> {
    if (references.length > MAX_REFERENCES) {
      throw invalidRequest(`It names more than ${MAX_REFERENCES} things by their ids.`, 'file');
    }
    const unreadable = references.find(({ kind, id }) => kind === 'file' && id === '');
    if (unreadable) throw noId(`body.${unreadable.path}`);
    if (previous !== undefined) await this.#checkPrevious(previous);
    const unknown = references.filter(({ kind, id }) => kind !== 'shared' && !this.#allowed.has(id));
    if (unknown.length === 0) return;
    const rows = await this.#gateway.objects.ofAll(unknown.map(keyOf));
    const owner = ownerOf(this.#call);
    for (const reference of unknown) {
      const { kind, id } = reference;
      const row = rows.find(
        (one) =>
          one.id === keyOf(reference) && one.provider === this.#provider && one.account === this.#account,
      );
      const isOwn = (row && isOf(row, owner)) || (kind === 'item' && (await this.#keeps(id)));
      if (!isOwn && (row || OF_ANSWERS.has(kind))) throw this.#notFound(reference);
      if (!row && !OF_ANSWERS.has(kind)) this.#claim(reference);
      this.#remember(id);
    }
  }

  async #checkPrevious(id: string): Promise<void> {
    if (this.#allowed.has(id) || (await this.#keeps(id))) return this.#remember(id);
    throw invalidRequest(
      `Previous response with id '${id}' not found.`,
      'file',
      'previous_response_not_found',
    );
  }

  /** Whether the account that the file goes to keeps it for the tenant. */
  async #keeps(id: string): Promise<boolean> {
    const kept = await this.#gateway.responses.find(ownerOf(this.#call), id);
    if (kept?.where !== 'provider' || kept.account !== this.#account) return false;
    return kept.target.startsWith(`${this.#provider}/`);
  }

  #remember(id: string): void {
    if (this.#allowed.size >= MAX_REMEMBERED) this.#allowed.clear();
    this.#allowed.add(id);
  }

  #claim(reference: HeldReference): void {
    if (!isLeftBehind(reference.kind)) return;
    this.#claimed.set(reference.id, reference);
    if (this.#claimed.size > MAX_REFERENCES) {
      throw invalidRequest(
        `The lines name more than ${MAX_REFERENCES} containers and conversations by their ids.`,
        'file',
      );
    }
    this.#call.toClaim = [...this.#claimed.values()];
  }

  #notFound(reference: HeldReference): GatewayError {
    return heldNotFound(this.#call, { ...reference, path: `line ${this.#line}: body.${reference.path}` });
  }
}
