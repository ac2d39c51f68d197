import type { JsonObject } from '../../src/conversation/json.ts';
import type { ModelUsage } from './fake-model.ts';
import type { Disruption } from './fake-script.ts';

/** What a fake answers: whole, or as a stream of frames. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer | Stream;
  disruption: Disruption;
  /** What the model used for the answer; absent where no model ran. */
  usage?: ModelUsage;
}

export interface Stream {
  frames: Frame[];
  /** The dialect's error event. */
  error: string | Buffer;
}

/**
 * A piece of a stream. `start` frames come before any output (role chunks, `message_start`, pings), `end` frames tell
 * that the answer is whole: without them it is cut.
 */
export interface Frame {
  part: 'start' | 'output' | 'end';
  /** Bytes where the framing is binary. */
  text: string | Buffer;
}

export function jsonReply(
  body: JsonObject,
  disruption: Disruption = {},
  headers: Record<string, string> = {},
): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    disruption,
  };
}

export function bytesReply(body: Buffer, type: string, disruption: Disruption = {}): Reply {
  return { status: 200, headers: { 'content-type': type }, body, disruption };
}

export function streamReply(
  stream: Stream,
  disruption: Disruption = {},
  headers: Record<string, string> = {},
): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...headers },
    body: stream,
    disruption,
  };
}
