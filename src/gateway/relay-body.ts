import type { GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import { type AnswerScan, scanAnswer } from '../dialects/answer-scan.ts';
import type { MadeIds } from '../dialects/pass-through.ts';
import { servedTier } from '../dialects/tiers.ts';
import { mayOtherAnswer, ofAnswering } from './answering-model.ts';
import { estimateCall } from './asked-tier.ts';
import { blockedBody } from './blocked-answer.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { leavesIds, noteKeptAnswer, noteMadeIds } from './keep-answer.ts';
import type { AttemptControl, CommittingReceiver } from './receiver.ts';
import { beginBody, sendJson } from './respond.ts';
import { endAnswer, settleCall } from './settle.ts';
import { cutOff, unreadableAnswer } from './unreadable-answer.ts';

/** A JSON answer up to this size is held until it is whole, so that one that breaks off can still be failed over. */
const HOLD_BYTES = 4 * 1024 * 1024;

/** How much of the end of a larger answer is kept to find the usage in. */
const TAIL_BYTES = 64 * 1024;

/** Relays a non-streaming answer in the caller's own dialect, byte for byte. */
export class BodyRelay implements CommittingReceiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #length: string | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of a large answer: the newest packet, held back so that the record is written before the last byte is sent. */
  #newest: Buffer | undefined;

  constructor(gateway: Gateway, call: Call, attempt: AttemptControl, length: string | undefined) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#length = length;
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#call.committed) this.#forward(chunk);
    else if (this.#bytes > HOLD_BYTES) this.#beginForwarding();
  }

  end(): void {
    const body = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const { passThrough } = this.#call.door;
    const isLookedInto = !this.#call.committed && leavesIds(this.#call);
    const made = isLookedInto ? passThrough.readMadeIds?.(body, this.#call.spans) : undefined;
    const scan = this.#scan(body);
    if (!this.#isWhole(body, made, scan)) {
      const failure = this.#unreadable(body);
      this.#call.usage = failure.usage ?? this.#call.usage;
      this.#attempt.fail(failure);
      return;
    }
    // Nobody sends an error this large: of what was forwarded already only the end is left to look at.
    const failure = this.#call.committed ? undefined : this.#readFailure(body, scan);
    if (failure) {
      this.#call.usage = passThrough.readUsage(body, scan) ?? this.#call.usage;
      this.#attempt.fail(failure);
      return;
    }
    this.#call.usage = passThrough.readUsage(body, scan);
    if (!this.#call.usage) {
      this.#call.usage = estimateCall(this.#call, 0, servedTier(tryParseJson(body.toString('utf8'))));
      // Of what was forwarded already only the end is left.
      if (!this.#call.committed) this.#call.answer = body;
    }
    if (this.#call.usage && mayOtherAnswer(this.#call)) {
      this.#call.usage = ofAnswering(this.#call, this.#call.usage, passThrough.readModel?.(body, scan));
    }
    const relayed = this.#call.committed ? body : (passThrough.mendAnswer?.(body, scan) ?? body);
    if (made && made !== 'broken') noteMadeIds(this.#gateway, this.#call, made);
    this.#attempt.whenNoted(() => this.#finish(relayed));
  }

  #finish(body: Buffer): void {
    this.#attempt.succeed();
    if (!this.#call.committed) {
      this.#noteId(body);
      sendJson(this.#gateway, this.#call, body);
      return;
    }
    settleCall(this.#gateway, this.#call, 'ok', 200);
    endAnswer(this.#gateway, this.#call, this.#newest);
  }

  /** A JSON answer has no place for an error: cutting the connection is the only honest end. */
  breakOff(error: GatewayError): void {
    this.account();
    settleCall(this.#gateway, this.#call, error.kind, 200);
    this.#call.response.destroy();
  }

  account(): void {
    this.#call.usage ??= estimateCall(this.#call, 0);
  }

  #scan(body: Buffer): AnswerScan | undefined {
    const { committed, door } = this.#call;
    return door.passThrough.scansAnswers && !committed ? scanAnswer(body) : undefined;
  }

  #readFailure(body: Buffer, scan: AnswerScan | undefined): GatewayError | undefined {
    const { door, divertsBlocked, spoken } = this.#call;
    const failure = door.passThrough.readFailure(body, scan);
    return failure ?? (divertsBlocked ? blockedBody(body, spoken) : undefined);
  }

  /** Without an announced length HTTP cannot tell a whole answer from one that was cut: who goes through all of it can. */
  #isWhole(body: Buffer, made: MadeIds | 'broken' | undefined, scan: AnswerScan | undefined): boolean {
    const { committed } = this.#call;
    if (scan) return made !== 'broken';
    if (!isObjectText(body, committed)) return false;
    if (committed) return true;
    if (made !== undefined) return made !== 'broken';
    return this.#length !== undefined || isJson(body);
  }

  #unreadable(body: Buffer): GatewayError {
    const { committed, spoken, door } = this.#call;
    if (committed) return cutOff();
    const failure = isJson(body) ? door.passThrough.readFailure(body) : undefined;
    return failure ?? unreadableAnswer(body, spoken);
  }

  /** An error reports its usage, where it does, in the body that says it, and was read with that. */
  accountFailure(): void {}

  #beginForwarding(): void {
    const held = this.#chunks;
    if (held[0]) this.#noteId(held[0]);
    this.#noteFirstIds(held);
    this.#call.tap?.miss();
    this.#attempt.noteOutput();
    this.#attempt.begin();
    beginBody(this.#call, this.#length);
    this.#chunks = [];
    this.#bytes = 0;
    for (const chunk of held) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#forward(chunk);
    }
  }

  #noteFirstIds(held: Buffer[]): void {
    const { passThrough } = this.#call.door;
    if (!passThrough.readFirstIds || !leavesIds(this.#call)) return;
    noteMadeIds(this.#gateway, this.#call, passThrough.readFirstIds(Buffer.concat(held)));
  }

  #noteId(head: Buffer): void {
    if (!this.#call.keepsAnswer) return;
    noteKeptAnswer(this.#gateway, this.#call, this.#call.door.passThrough.readAnswerId?.(head));
  }

  #forward(chunk: Buffer): void {
    const due = this.#newest;
    this.#newest = chunk;
    if (due && !this.#call.response.write(due)) this.#attempt.waitForDrain();
    while (this.#chunks[0] && this.#bytes - this.#chunks[0].length >= TAIL_BYTES) {
      this.#bytes -= this.#chunks[0].length;
      this.#chunks.shift();
    }
  }
}

function isJson(body: Buffer): boolean {
  return tryParseJson(body.toString('utf8')) !== undefined;
}

/**
 * Whether the first and the last byte that are no white space are braces. Finds what is no JSON and most answers that were
 * cut off, not those cut behind an inner object; to find these too every answer would have to be parsed.
 */
function isObjectText(body: Buffer, isForwarded: boolean): boolean {
  let start = 0;
  while (start < body.length && (body[start] ?? 0) <= 0x20) start++;
  let end = body.length - 1;
  while (end >= 0 && (body[end] ?? 0) <= 0x20) end--;
  return body[end] === 0x7d && (isForwarded || body[start] === 0x7b);
}
