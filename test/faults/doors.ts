/** What the client reads in the dialect of a door. */
export interface Door {
  path(model: string, stream: boolean): string;
  body(model: string, stream: boolean): object;
  /** The words of an answer that is whole; of one that is not, nothing. */
  read(text: string, stream: boolean): string | undefined;
  /** The words that a stream had said, whole or not. */
  said(text: string): string;
  /** What the dialect's SDK tells errors apart by. */
  kindOfError(body: unknown): unknown;
  /** That, by the status. */
  kinds: Readonly<Record<number, string>>;
  /** How a stream says that it broke off. */
  brokenOff: RegExp;
}

/** What is there, however deep; `undefined` where nothing is. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

const listAt = (value: unknown, ...path: (string | number)[]): unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

const join = (words: unknown[]): string => words.filter((word) => typeof word === 'string').join('');

const eventsOf = (text: string): unknown[] =>
  text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as unknown);

const OPENAI_KINDS = { 429: 'requests', 502: 'server_error', 504: 'server_error' };

export const DOORS: Record<string, Door> = {
  chat: {
    path: () => '/v1/chat/completions',
    body: (model, stream) => ({ model, stream, messages: [{ role: 'user', content: 'Hi' }] }),
    read: (text, stream) => {
      if (!stream) return join([at(JSON.parse(text), 'choices', 0, 'message', 'content')]);
      if (!text.endsWith('data: [DONE]\n\n')) return undefined;
      return join(eventsOf(text).map((event) => at(event, 'choices', 0, 'delta', 'content')));
    },
    said: (text) => join(eventsOf(text).map((event) => at(event, 'choices', 0, 'delta', 'content'))),
    kindOfError: (body) => at(body, 'error', 'type'),
    kinds: OPENAI_KINDS,
    brokenOff: /data: \{"error":/,
  },
  responses: {
    path: () => '/v1/responses',
    body: (model, stream) => ({ model, stream, input: 'Hi' }),
    read: (text, stream) => {
      const isLast = (event: unknown) => at(event, 'type') === 'response.completed';
      const whole: unknown = stream ? at(eventsOf(text).find(isLast), 'response') : JSON.parse(text);
      const parts = listAt(whole, 'output').flatMap((item) => listAt(item, 'content'));
      return join(parts.map((part) => at(part, 'text')));
    },
    said: (text) => {
      const deltas = eventsOf(text).filter((event) => at(event, 'type') === 'response.output_text.delta');
      return join(deltas.map((event) => at(event, 'delta')));
    },
    kindOfError: (body) => at(body, 'error', 'type'),
    kinds: OPENAI_KINDS,
    brokenOff: /"type":"(?:error|response\.failed)"/,
  },
  messages: {
    path: () => '/v1/messages',
    body: (model, stream) => ({ model, stream, max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] }),
    read: (text, stream) => {
      if (!stream) return join(listAt(JSON.parse(text), 'content').map((block) => at(block, 'text')));
      const events = eventsOf(text);
      if (at(events.at(-1), 'type') !== 'message_stop') return undefined;
      return join(events.map((event) => at(event, 'delta', 'text')));
    },
    said: (text) => join(eventsOf(text).map((event) => at(event, 'delta', 'text'))),
    kindOfError: (body) => at(body, 'type') === 'error' && at(body, 'error', 'type'),
    kinds: { 429: 'rate_limit_error', 502: 'api_error', 504: 'timeout_error', 529: 'overloaded_error' },
    brokenOff: /event: error\ndata: \{"type":"error"/,
  },
  gemini: {
    path: (model, stream) =>
      `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }),
    read: (text, stream) => {
      const answers: unknown[] = stream ? eventsOf(text) : [JSON.parse(text)];
      if (!answers.some((answer) => at(answer, 'candidates', 0, 'finishReason') === 'STOP')) return undefined;
      const parts = answers.flatMap((answer) => listAt(answer, 'candidates', 0, 'content', 'parts'));
      return join(parts.map((part) => at(part, 'text')));
    },
    said: (text) =>
      join(
        eventsOf(text)
          .flatMap((event) => listAt(event, 'candidates', 0, 'content', 'parts'))
          .map((part) => at(part, 'text')),
      ),
    kindOfError: (body) => at(body, 'error', 'status'),
    kinds: { 429: 'RESOURCE_EXHAUSTED', 502: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' },
    brokenOff: /data: \{"error":/,
  },
};
