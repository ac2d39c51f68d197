import type { Subject } from './subject.ts';

/** Load straight to the upstream: how much the two of them can do when nothing is between them. */
export const direct: Subject = {
  name: 'direct',
  needsNoWarmUp: true,
  start: async ({ upstreamPort }) => ({
    port: upstreamPort,
    process: undefined,
    version: '',
    startMs: undefined,
  }),
};
