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

export function placeOf(thing: object | undefined): string | undefined {
  return thing && PLACES.get(thing);
}
