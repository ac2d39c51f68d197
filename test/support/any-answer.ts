import fc from 'fast-check';

/** An answer of HTTP/1.1, and how it is written. */
export interface Answer {
  /** Interim answers before it. */
  interim: number[];
  minor: 0 | 1;
  status: number;
  /** Without those that say how it is framed, by their lower-case names. */
  headers: Record<string, string | string[]>;
  framing: 'none' | 'fixed' | 'chunked' | 'until-close';
  /** In Latin-1. */
  body: string;
  chunks: Chunk[];
  trailers: string[];
}

/** One chunk of a body as it is written: its size may have zeros before it and an extension behind it. */
interface Chunk {
  data: string;
  zeros: number;
  upper: boolean;
  extension: string;
}

const latin1 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
/** What looks like framing, in places where it is none. */
const body = fc.oneof(
  latin1,
  fc.constantFrom(
    '',
    '\r\n\r\n',
    '0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    '5\r\nhello\r\n',
  ),
);
const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc
  .array(fc.constantFrom(...TOKEN_CHARACTERS), { minLength: 1, maxLength: 12 })
  .map((characters) => characters.join(''));
const name = fc.oneof(
  token,
  fc.constantFrom('__proto__', 'constructor', 'X-Request-Id', 'toString', 'Set-Cookie'),
);
const value = fc
  .array(
    fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9)),
    {
      maxLength: 20,
    },
  )
  .map((codes) => String.fromCharCode(...codes).replace(/^[ \t]+|[ \t]+$/g, ''));
const FRAMING = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'trailer',
]);
const headerList = fc.array(
  fc.tuple(name, value).filter(([written]) => !FRAMING.has(written.toLowerCase())),
  { maxLength: 6 },
);

const chunk = fc.record({
  data: body.filter((data) => data !== ''),
  zeros: fc.nat(3),
  upper: fc.boolean(),
  extension: fc.constantFrom('', '', ';a', ';a=b', ' ; c="d e"'),
});

function collect(list: readonly (readonly [string, string])[]): Answer['headers'] {
  const headers = new Map<string, string | string[]>();
  for (const [written, one] of list) {
    const lower = written.toLowerCase();
    const before = headers.get(lower);
    headers.set(lower, before === undefined ? one : [before, one].flat());
  }
  return Object.fromEntries(headers);
}

export const anyAnswer: fc.Arbitrary<Answer> = fc
  .record({
    interim: fc.array(fc.constantFrom(100, 102, 103), { maxLength: 2 }),
    minor: fc.constantFrom<0 | 1>(0, 1, 1, 1),
    status: fc.oneof(
      fc.constantFrom(200, 201, 204, 304, 400, 429, 500, 503),
      fc.integer({ min: 200, max: 999 }),
    ),
    headers: headerList.map(collect),
    framing: fc.constantFrom<Answer['framing']>('fixed', 'fixed', 'chunked', 'chunked', 'until-close'),
    body,
    chunks: fc.array(chunk, { maxLength: 4 }),
    trailers: fc.array(fc.constantFrom('x-sum: 1', 'a: b'), { maxLength: 2 }),
  })
  .map((answer) => {
    const framing = answer.status === 204 || answer.status === 304 ? 'none' : answer.framing;
    const chunked = answer.chunks.map(({ data }) => data).join('');
    const bodies = { none: '', fixed: answer.body, chunked, 'until-close': answer.body };
    return { ...answer, framing, body: bodies[framing] };
  });

export function writeAnswer(answer: Answer): Buffer {
  const { status, headers, framing, interim } = answer;
  const lines = Object.entries(headers).flatMap(([lower, values]) =>
    [values].flat().map((one) => `${lower}: ${one}\r\n`),
  );
  const before = interim.map((code) => `HTTP/1.1 ${code} Wait\r\nx: y\r\n\r\n`).join('');
  const head = `HTTP/1.${answer.minor} ${status} Why\r\n${lines.join('')}${FRAMING_LINES[framing](answer)}\r\n`;
  const written = framing === 'chunked' ? writeChunks(answer) : answer.body;
  return Buffer.from(before + head + written, 'latin1');
}

const FRAMING_LINES: Record<Answer['framing'], (answer: Answer) => string> = {
  none: () => '',
  fixed: ({ body: whole }) => `content-length: ${whole.length}\r\n`,
  chunked: () => 'transfer-encoding: chunked\r\n',
  'until-close': () => '',
};

function writeChunks({ chunks, trailers }: Answer): string {
  const written = chunks.map(({ data, zeros, upper, extension }) => {
    const hex = data.length.toString(16);
    return `${'0'.repeat(zeros)}${upper ? hex.toUpperCase() : hex}${extension}\r\n${data}\r\n`;
  });
  return `${written.join('')}0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`;
}
