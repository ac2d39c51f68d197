import { parentPort } from 'node:worker_threads';
import type { CountAnswer, CountRequest } from './count-thread.ts';
import { countText } from './encoders.ts';

/** The thread that counts: one answer for each request, in their order. */
parentPort?.on('message', ({ encoding, texts }: CountRequest) => {
  let answer: CountAnswer;
  try {
    answer = { tokens: texts.reduce((sum, text) => sum + countText(encoding, text), 0) };
  } catch (error) {
    answer = { error: String(error) };
  }
  parentPort?.postMessage(answer);
});
