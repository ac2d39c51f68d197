import type { JsonObject } from '../conversation/json.ts';

/** Something that is told of. */
export interface Notice {
  severity: 'info' | 'warning' | 'alarm';
  kind: string;
  message: string;
  details: JsonObject;
}

/** Tells operators of things, each once for all instances and however often they start. */
export interface Notices {
  /** Tells of what was not told of yet. `key`: what it is about. */
  tellOnce(key: string, notice: Notice): void;
  /** Where something was told of under a key, takes that back: it may be told of again. Tells `notice` then. */
  takeBack(key: string, notice: Notice): void;
}
