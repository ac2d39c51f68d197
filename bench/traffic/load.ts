/**
 * The bench's load generator, a process of its own: makes a fixed number of calls over keep-alive connections, each
 * of which sends its next call when the answer before it is complete (closed loop), and checks every answer.
 */
import { performance } from 'node:perf_hooks';
import { SCENARIOS, type Scenario } from '../scenarios.ts';
import { buildAnswerBody, buildPromptInput, buildRequestBody, buildStreamEvents } from './chat-bodies.ts';
import { type CallSpec, openConnection } from './connection.ts';
import type { LoadJob, LoadOutcome, LoadResult } from './protocol.ts';

function describeCall(scenario: Scenario, { port, prompt }: LoadJob, apiKey: string): CallSpec {
  const { name, answer, requestBytes } = scenario;
  const body =
    prompt === undefined
      ? buildRequestBody(name, answer.kind === 'stream', requestBytes)
      : buildPromptInput(requestBytes);
  const path = prompt === undefined ? '/v1/chat/completions' : `/v1/prompts/${prompt}?format=chat`;
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${apiKey}`,
    'content-type: application/json',
    'accept: */*',
    'user-agent: fairlead-bench',
    `content-length: ${body.length}`,
  ];
  const expected =
    answer.kind === 'whole'
      ? buildAnswerBody(name, answer.sizeBytes)
      : Buffer.concat(buildStreamEvents(name, answer.chunks));
  return {
    port,
    request: Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]),
    expectedBodyBytes: expected.length,
  };
}

/** Makes the calls of one job. Rejects at the first answer that is not the expected one. */
async function runJob(job: LoadJob): Promise<LoadResult> {
  const scenario = SCENARIOS.find(({ name }) => name === job.scenario);
  if (scenario === undefined) throw new Error(`no scenario ${job.scenario}`);
  const calls = job.apiKeys.map((apiKey) => describeCall(scenario, job, apiKey));
  const [first] = calls;
  if (first === undefined) throw new Error('a job has no key to call with');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let started = 0;
  let answered = 0;
  let reads = 0;
  const listener = {
    takeTurn: () => started++ < job.calls,
    onRead: () => {
      reads++;
    },
    onAnswer: () => {
      answered++;
      if (answered === job.calls) resolve();
    },
    onFailure: reject,
  };

  const expire = () => reject(new Error(`${answered} of ${job.calls} calls answered in ${job.timeoutMs} ms`));
  const timer = setTimeout(expire, job.timeoutMs);
  const startedAt = performance.now();
  const sockets = Array.from({ length: scenario.connections }, (_, index) =>
    openConnection(calls[index % calls.length] ?? first, listener),
  );
  try {
    await promise;
    const wallMs = performance.now() - startedAt;
    return { calls: answered, wallMs, bodyBytes: answered * first.expectedBodyBytes, reads };
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
  }
}

async function reportJob(job: LoadJob): Promise<LoadOutcome> {
  try {
    return { kind: 'done', result: await runJob(job) };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', async (job: LoadJob) => {
  process.send?.(await reportJob(job));
});
// The bench going away, however it does, ends this process.
process.on('disconnect', () => process.exit(0));
