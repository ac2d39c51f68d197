/**
 * The bench's upstream, a process of its own: answers POST /v1/chat/completions and /v1/messages from bytes made at its start. It
 * speaks plain TCP because `node:http` alone would cost more than the gateway that is to be measured.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { SCENARIOS, type Scenario, versionOf } from '../scenarios.ts';
import { buildAnswerBody, buildStreamEvents } from './chat-bodies.ts';
import { MessageReader } from './message-reader.ts';
import { buildMessage, buildMessageEvents } from './messages-bodies.ts';
import type { UpstreamReady } from './protocol.ts';

/** An answer as packets: the first is sent at once, the rest one at a time. */
interface PreparedAnswer {
  packets: Buffer[];
  packetEveryMs: number;
}

/** Where model and `stream` stand in a request: in the rest of a large one nobody looks. */
const LOOKED_AT_BYTES = 4_096;

const UNKNOWN: PreparedAnswer = wholeAnswer(
  '404 Not Found',
  Buffer.from(
    JSON.stringify({ error: { message: 'the bench has no such scenario', type: 'not_found', code: null } }),
  ),
);

/** The dialects that callers of the upstream use, by their paths. */
const DIALECTS = {
  '/v1/chat/completions': { whole: buildAnswerBody, stream: buildStreamEvents },
  '/v1/messages': { whole: buildMessage, stream: buildMessageEvents },
};
type Path = keyof typeof DIALECTS;

function prepareAnswer({ name, answer }: Scenario, path: Path): PreparedAnswer {
  const build = DIALECTS[path];
  if (answer.kind === 'whole') return wholeAnswer('200 OK', build.whole(name, answer.sizeBytes));
  const events = build.stream(name, answer.chunks);
  const packets: Buffer[] = [];
  for (let at = 0; at < events.length; at += answer.chunksPerPacket) {
    packets.push(frameChunk(Buffer.concat(events.slice(at, at + answer.chunksPerPacket))));
  }
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
  packets[0] = Buffer.concat([Buffer.from(head), ...packets.slice(0, 1)]);
  packets.push(Buffer.concat([...packets.splice(-1), Buffer.from('0\r\n\r\n')]));
  return { packets, packetEveryMs: answer.packetEveryMs };
}

function wholeAnswer(status: string, body: Buffer): PreparedAnswer {
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return { packets: [Buffer.concat([Buffer.from(head), body])], packetEveryMs: 0 };
}

function frameChunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

/** By path and model. Only what is translated is there in both dialects. */
const answers = new Map<string, PreparedAnswer>();
for (const scenario of SCENARIOS) {
  const paths: Path[] = ['/v1/chat/completions', ...(scenario.translated ? (['/v1/messages'] as const) : [])];
  for (const path of paths) {
    const answer = prepareAnswer(scenario, path);
    answers.set(`${path} ${scenario.name}`, answer).set(`${path} ${versionOf(scenario.name)}`, answer);
  }
}

/** Picks the answer by the path and the model that the request names. A stream has to be asked for as one. */
function findAnswer(path: string, requestBody: string): PreparedAnswer {
  const model = /"model":\s*"([^"]+)"/.exec(requestBody)?.[1];
  const answer = answers.get(`${path} ${model}`);
  if (answer === undefined) return UNKNOWN;
  const streamWanted = /"stream":\s*true/.test(requestBody);
  return streamWanted === answer.packets.length > 1 ? answer : UNKNOWN;
}

function sendAnswer(socket: Socket, answer: PreparedAnswer): void {
  const [first, ...rest] = answer.packets;
  socket.write(first ?? '');
  if (rest.length === 0) return;
  const packets = rest.values();
  const timer = setInterval(() => {
    const { value, done } = packets.next();
    if (done || socket.destroyed) clearInterval(timer);
    else socket.write(value);
  }, answer.packetEveryMs);
}

function serveConnection(socket: Socket): void {
  let path = '';
  let body = '';
  const reader = new MessageReader({
    onHead(head) {
      path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'));
      body = '';
    },
    onBody(bytes) {
      const room = LOOKED_AT_BYTES - body.length;
      if (room > 0) body += bytes.toString('latin1', 0, room);
    },
    onEnd() {
      sendAnswer(socket, findAnswer(path, body));
    },
  });
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => {
    try {
      reader.feed(bytes);
    } catch (error) {
      console.error(error);
      socket.destroy();
    }
  });
  // A subject that closes or resets its connections is the load's business, which sees the answers missing.
  socket.on('error', () => socket.destroy());
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the upstream has no TCP address');
  return address.port;
}

const server = createServer(serveConnection);
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: portOf(server) } satisfies UpstreamReady);
});
// The bench going away, however it does, ends this process.
process.on('disconnect', () => process.exit(0));
