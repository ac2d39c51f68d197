import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

/** Called once the gateway has started, before it takes calls for long. */
export function enterSteadyState(): void {
  // Before the flag: compiled code is of use only to those who start with the flags that it was kept under.
  flushCompileCache();
  // V8 would take calls for long-lived where many come at once at the start, while the young generation is still small,
  // and from then on allocate each in the old generation: what a call held was copied there too, dead, and that took a
  // fifth of the CPU time.
  setFlagsFromString('--no-allocation-site-pretenuring');
}
