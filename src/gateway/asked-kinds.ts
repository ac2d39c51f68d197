import { hasEscapedLetter } from '../dialects/held-bytes.ts';
import type { AskedKind } from '../usage/rates.ts';

/** What stands in a request that may come to tokens of a kind: any one of them. Of media that are only named nothing is reserved. */
const SIGNS: Record<AskedKind, readonly Buffer[]> = {
  cacheWrite: signs('"cache_control"', '"cachePoint"'),
  cacheWrite1h: signs('"1h"', '\\u0031'),
  inputAudio: signs('audio', 'Audio', 'AUDIO', 'video', 'Video', 'VIDEO'),
  outputAudio: signs('audio', 'Audio', 'AUDIO', 'odalities'),
};

function signs(...words: string[]): Buffer[] {
  return words.map((word) => Buffer.from(word));
}

/** Of which kinds the tokens of a call may be that cost more at some models. Its bytes are searched only where that is asked. */
export function askedKinds(body: Buffer): (kind: AskedKind) => boolean {
  const known = new Map<AskedKind, boolean>();
  const asks = (kind: AskedKind): boolean => {
    const found = known.get(kind);
    if (found !== undefined) return found;
    const isAsked =
      (kind !== 'cacheWrite1h' || asks('cacheWrite')) &&
      (SIGNS[kind].some((sign) => body.includes(sign)) || hasEscapedLetter(body));
    known.set(kind, isAsked);
    return isAsked;
  };
  return asks;
}
