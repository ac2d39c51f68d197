import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface ReceivedEvent {
  id: string;
  type: string;
  timestamp: string;
  data: { id: string; severity: string; message: string; details: unknown };
}

export interface WebhookReceiver {
  url: string;
  /** Every delivery whose signature is right, also those that were refused then. */
  received: ReceivedEvent[];
  /** Deliveries whose signature is wrong. */
  forged: number;
  /** How the next ones are answered; 204 where absent. */
  answer: ((response: ServerResponse, path: string) => void) | undefined;
  paths: string[];
  close(): Promise<void>;
}

/** Who takes events, and checks their signatures as receivers do: with the library of the specification. */
export async function startWebhookReceiver(secret: string): Promise<WebhookReceiver> {
  const verifier = new Webhook(secret);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    receiver.paths.push(request.url ?? '');
    const event = verify(verifier, Buffer.concat(chunks).toString(), request.headers);
    if (event) receiver.received.push(event);
    else receiver.forged += 1;
    if (receiver.answer) receiver.answer(response, request.url ?? '');
    else response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${port}/hook`,
    received: [],
    forged: 0,
    answer: undefined,
    paths: [],
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

/** `Webhook.verify` refuses what is not of this minute, which the clock of a test need not be. */
function verify(verifier: Webhook, body: string, headers: IncomingHttpHeaders): ReceivedEvent | undefined {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) =>
    String(headers[`webhook-${name}`]),
  );
  if (id === undefined || !signatures) return undefined;
  const expected = verifier.sign(id, new Date(Number(timestamp) * 1000), body);
  if (!signatures.split(' ').includes(expected)) return undefined;
  return { id, ...(JSON.parse(body) as Omit<ReceivedEvent, 'id'>) };
}
