/**
 * Where the parts and messages of a request stood in it, in the caller's words: decoders split, lift and join what their
 * dialect has otherwise. It stands beside the values, not in them: two requests that say the same are one conversation.
 * What was made or copied since has no place.
 */
const PLACES = new WeakMap<object, string>();

export function placed<Thing extends object>(thing: Thing, path: string | undefined): Thing {
  if (path !== undefined) PLACES.set(thing, path);
  return thing;
}

/** What came in no field of the caller's own: it rode in an id, and whether it goes on is nothing to tell the caller. */
const RIDERS = new WeakSet<object>();

export function rode<Thing extends object>(thing: Thing): Thing {
  RIDERS.add(thing);
  return thing;
}

export function isRider(thing: object): boolean {
  return RIDERS.has(thing);
}

/** What is said both in words of its own dialect and in neutral ones: its own dialect takes the first, all others the second. */
const SAID_TWICE = new WeakSet<object>();

export function saidTwice<Thing extends object>(thing: Thing): Thing {
  SAID_TWICE.add(thing);
  return thing;
}

export function isSaidTwice(thing: object): boolean {
  return SAID_TWICE.has(thing);
}

export function placeOf(thing: object | undefined): string | undefined {
  return thing && PLACES.get(thing);
}

/** What stands in the place of something else, and is all that this was to those who ask here. */
export function standingFor<Thing extends object>(former: object, thing: Thing): Thing {
  placed(thing, placeOf(former));
  if (isRider(former)) rode(thing);
  return isSaidTwice(former) ? saidTwice(thing) : thing;
}
