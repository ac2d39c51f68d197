/** What an inspected process holds, its garbage collected first. */
export interface HeldByProcess {
  heapBytes: number;
  /** What keeps its event loop alive, by kind: `{ "Timeout": 4, "TCPSocketWrap": 12 }`. */
  resources: Record<string, number>;
}

/** For `NODE_OPTIONS` of a process that is to be inspected: a port of its own choice, which it prints. */
export const INSPECTED = '--inspect=127.0.0.1:0';

const MEASURE = `({
  heapBytes: process.memoryUsage().heapUsed,
  resources: process.getActiveResourcesInfo().reduce((counts, kind) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }, {}),
})`;

/**
 * Asks a Node process that runs with `INSPECTED`, over the Chrome DevTools Protocol: nothing of it is changed for the test.
 *
 * @param output what it printed so far
 */
export async function measureHeld(output: string): Promise<HeldByProcess> {
  const address = /Debugger listening on (ws:\S+)/.exec(output)?.[1];
  if (address === undefined) throw new Error(`it is not inspected: ${output.slice(0, 500)}`);
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  try {
    // What finalizers free is garbage only in the next collection.
    for (let times = 0; times < 2; times++) await ask(socket, 'HeapProfiler.collectGarbage', {});
    const told = await ask(socket, 'Runtime.evaluate', { expression: MEASURE, returnByValue: true });
    const { result } = told as { result: { value: HeldByProcess } };
    return result.value;
  } finally {
    socket.close();
  }
}

let asked = 0;

function ask(socket: WebSocket, method: string, params: object): Promise<unknown> {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const take = ({ data }: MessageEvent) => {
      const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: unknown };
      if (answer.id !== id) return;
      socket.removeEventListener('message', take);
      if (answer.error !== undefined) reject(new Error(JSON.stringify(answer.error)));
      else resolve(answer.result);
    };
    socket.addEventListener('message', take);
    socket.addEventListener('close', () => reject(new Error('the inspector is gone')), { once: true });
    socket.send(JSON.stringify({ id, method, params }));
  });
}
