import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_KEY } from '../support/gateway.ts';

export interface Told {
  status: number;
  text: string;
  headers: IncomingMessage['headers'];
}

/** One call over the connections of an agent; rejects where it breaks off. */
export function call(url: string, agent: Agent, body: object, key = TEST_KEY): Promise<Told> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const asked = request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

/** What came of a call that a client made. */
export interface Outcome {
  startedAtMs: number;
  endedAtMs: number;
  /** `x-request-id` of an answer that is whole. */
  id?: string;
  /** Why it is none. */
  failure?: string;
}

/** Clients that call one time after another, each over one connection that it keeps, streaming and not, some with pauses. */
export class KeepAliveClients {
  readonly outcomes: Outcome[] = [];
  readonly #agents: Agent[] = [];
  readonly #done: Promise<unknown>;
  #ended = false;

  constructor(url: string, count: number) {
    this.#done = Promise.all(Array.from({ length: count }, (_, number) => this.#callOn(url, number)));
  }

  get whole(): number {
    return this.outcomes.filter(({ id }) => id !== undefined).length;
  }

  get failures(): Outcome[] {
    return this.outcomes.filter(({ failure }) => failure !== undefined);
  }

  /** Until so many more answers are whole. */
  async answered(more: number): Promise<void> {
    for (const until = this.whole + more; this.whole < until; ) await sleep(5);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
    for (const agent of this.#agents) agent.destroy();
  }

  async #callOn(url: string, number: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#agents.push(agent);
    for (let turn = 0; !this.#ended; turn++) {
      const stream = (number + turn) % 2 === 0;
      const content = `Call ${turn}\nlong ${5 + (turn % 20)}\nslow ${turn % 8} ms per chunk`;
      const body = { model: 'fake/gpt-4.1', stream, messages: [{ role: 'user', content }] };
      const startedAtMs = performance.now();
      const outcome = await call(url, agent, body).then(
        ({ status, text, headers }): Partial<Outcome> =>
          status === 200 && (stream ? /data: \[DONE\]\n\n$/ : /\}\s*$/).test(text)
            ? { id: String(headers['x-request-id']) }
            : { failure: `${status} ${text.slice(-200)}` },
        (error: Error): Partial<Outcome> => ({ failure: String(error) }),
      );
      this.outcomes.push({ startedAtMs, endedAtMs: performance.now(), ...outcome });
      if (number % 3 === 0) await sleep(turn % 50);
    }
  }
}
