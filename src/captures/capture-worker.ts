import { parentPort } from 'node:worker_threads';
import type { CaptureAnswer } from './capture-thread.ts';
import { type CaptureSource, composeCapture } from './compose-capture.ts';

/** The thread that makes captures: one answer for each source, in their order, after it said that it is there. */
parentPort?.on('message', (source: CaptureSource) => {
  let answer: CaptureAnswer;
  try {
    answer = { capture: composeCapture(source) };
  } catch (error) {
    answer = { error: String(error) };
  }
  parentPort?.postMessage(answer);
});
parentPort?.postMessage('ready');
