import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIPv6, type Socket } from 'node:net';

/** What a name has, by the kind of record. */
export type DnsRecord =
  | { type: 'A'; address: string; ttl?: number }
  | { type: 'AAAA'; address: string; ttl?: number }
  | { type: 'SRV'; priority: number; weight: number; port: number; target: string; ttl?: number };

/** What becomes of a question in place of an answer. */
export type DnsTrouble = 'SERVFAIL' | 'REFUSED' | 'silence';

export interface DnsQuestion {
  name: string;
  type: string;
  transport: 'udp' | 'tcp';
}

export interface DnsServer {
  /** As `node:dns` takes a server. */
  address: string;
  /** All questions, in the order in which they came. */
  questions: DnsQuestion[];
  /** What was no question as RFC 1035 has it: a test ends with none. */
  malformed: string[];
  /** By lower-case names. Names without an entry are not there (NXDOMAIN). */
  zone: Map<string, DnsRecord[]>;
  /** By the type and the name, `A pool.test`, or by the name alone. */
  trouble: Map<string, DnsTrouble>;
  /** Answers over UDP that are longer are cut off, and are to be asked for over TCP. */
  udpBytes: number;
  close(): Promise<void>;
}

/** RFC 1035 3.2.2, RFC 3596 2.1, RFC 2782. */
const TYPES: Readonly<Record<string, number>> = { A: 1, AAAA: 28, SRV: 33 };
const NAMES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };
const OPT = 41;
const IN = 1;
const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

/** An authoritative DNS server on a free port of 127.0.0.1, over UDP and TCP (RFC 1035). */
export async function startDnsServer(zone: Record<string, DnsRecord[]> = {}): Promise<DnsServer> {
  const udp = createSocket('udp4');
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Whoever asked goes away when it has what it wants.
    socket.on('error', () => socket.destroy());
    let read = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      // RFC 1035 4.2.2: two bytes of length go before each message.
      while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const end = 2 + read.readUInt16BE(0);
        const answer = answerMessage(server, read.subarray(2, end), 'tcp');
        read = read.subarray(end);
        if (!answer) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      }
    });
  });
  // TCP first: of its ports many are in use by connections, of UDP's hardly any.
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  const server: DnsServer = {
    address: `127.0.0.1:${port}`,
    questions: [],
    malformed: [],
    zone: new Map(Object.entries(zone)),
    trouble: new Map(),
    udpBytes: 1_232,
    close: async () => {
      udp.close();
      for (const socket of sockets) socket.destroy();
      tcp.close();
      await once(tcp, 'close');
    },
  };
  udp.on('message', (message: Buffer, from: RemoteInfo) => {
    const answer = answerMessage(server, message, 'udp');
    if (answer) udp.send(answer, from.port, from.address);
  });
  return server;
}

function answerMessage(
  server: DnsServer,
  message: Buffer,
  transport: DnsQuestion['transport'],
): Buffer | undefined {
  let question: Question;
  try {
    question = readQuestion(message);
  } catch (error) {
    server.malformed.push(error instanceof Error ? error.message : String(error));
    return message.length >= 12
      ? writeMessage(message.readUInt16BE(0), undefined, RCODES.FORMERR, [])
      : undefined;
  }
  const { name, type } = question;
  server.questions.push({ name, type, transport });
  const trouble = server.trouble.get(`${type} ${name}`) ?? server.trouble.get(name);
  if (trouble === 'silence') return undefined;
  if (trouble) return writeMessage(question.id, question, RCODES[trouble], []);
  const records = server.zone.get(name);
  const asked = (records ?? []).filter((record) => record.type === type);
  const answer = writeMessage(question.id, question, records ? RCODES.NOERROR : RCODES.NXDOMAIN, asked);
  if (transport === 'tcp' || answer.length <= server.udpBytes) return answer;
  const cut = writeMessage(question.id, question, RCODES.NOERROR, []);
  // TC: the rest is to be asked for over TCP.
  cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2);
  return cut;
}

interface Question {
  id: number;
  name: string;
  type: string;
  /** As it was asked, for the answer repeats it. */
  raw: Buffer;
}

/** @throws Error for what is no standard query of one question (RFC 1035 4.1; an OPT record of RFC 6891 may follow). */
function readQuestion(message: Buffer): Question {
  if (message.length < 12) throw new Error('a message shorter than its header');
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) throw new Error('an answer where a question was expected');
  if ((flags & 0x7800) !== 0) throw new Error('another opcode than QUERY');
  if ((flags & 0x000f) !== 0) throw new Error('a question with a response code');
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || authorities !== 0) throw new Error('not one question alone');
  const { name, end } = readName(message, 12);
  const type = NAMES[message.readUInt16BE(end)];
  if (message.readUInt16BE(end + 2) !== IN) throw new Error('another class than IN');
  if (type === undefined) throw new Error(`a question for type ${message.readUInt16BE(end)}`);
  let at = end + 4;
  for (let left = additional ?? 0; left > 0; left -= 1) at = skipOpt(message, at);
  if (at !== message.length) throw new Error('bytes behind the message');
  return { id: message.readUInt16BE(0), name: name.toLowerCase(), type, raw: message.subarray(12, end + 4) };
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message.readUInt8(at);
    at += 1;
    if (length === 0) break;
    if (length > 63) throw new Error('a label that is too long, or compressed in a question');
    labels.push(message.toString('latin1', at, at + length));
    at += length;
  }
  if (at - start > 255) throw new Error('a name longer than 255 bytes');
  return { name: labels.join('.'), end: at };
}

function skipOpt(message: Buffer, at: number): number {
  if (message.readUInt8(at) !== 0 || message.readUInt16BE(at + 1) !== OPT)
    throw new Error('an additional record that is not OPT');
  return at + 11 + message.readUInt16BE(at + 9);
}

function writeMessage(
  id: number,
  question: Question | undefined,
  rcode: number,
  records: readonly DnsRecord[],
): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  // QR, AA, RD and RA.
  header.writeUInt16BE(0x8580 | rcode, 2);
  header.writeUInt16BE(question ? 1 : 0, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question?.raw ?? Buffer.alloc(0), ...records.map(writeRecord)]);
}

function writeRecord(record: DnsRecord): Buffer {
  const data = writeData(record);
  const fixed = Buffer.alloc(12);
  // The name is the question's: a pointer to it (RFC 1035 4.1.4).
  fixed.writeUInt16BE(0xc00c, 0);
  fixed.writeUInt16BE(TYPES[record.type] ?? 0, 2);
  fixed.writeUInt16BE(IN, 4);
  fixed.writeUInt32BE(record.ttl ?? 300, 6);
  fixed.writeUInt16BE(data.length, 10);
  return Buffer.concat([fixed, data]);
}

function writeData(record: DnsRecord): Buffer {
  if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number));
  if (record.type === 'AAAA') return writeIPv6(record.address);
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(record.priority, 0);
  numbers.writeUInt16BE(record.weight, 2);
  numbers.writeUInt16BE(record.port, 4);
  // Not compressed (RFC 2782).
  return Buffer.concat([numbers, writeName(record.target)]);
}

function writeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ]);
}

function writeIPv6(address: string): Buffer {
  if (!isIPv6(address)) throw new Error(`${address} is no address of IPv6`);
  const [head = '', tail] = address.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}
