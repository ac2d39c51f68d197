import { oneTenant, readVersion, startFairlead } from './fairlead.ts';
import { findMissingRedis, startRedis } from './redis.ts';
import type { Subject } from './subject.ts';

/** The same gateway, whose limits are counted in a Redis: a script of it for each call. What the Redis itself uses is not counted. */
export const fairleadRedis: Subject = {
  name: 'fairlead-redis',
  findMissing: findMissingRedis,
  async start(site) {
    const started = await startFairlead(site, oneTenant(site), { state: (await startRedis(site)).url });
    return { ...started, version: readVersion() };
  },
};
