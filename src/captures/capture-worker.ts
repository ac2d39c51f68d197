import { answerTasks } from '../threads/limited-thread.ts';
import { composeCapture } from './compose-capture.ts';

/** The thread that makes captures. */
answerTasks(composeCapture);
