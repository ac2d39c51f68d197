import type { Exclusion } from '../../support/wire-diff.ts';

/** Which recordings an exclusion is for: requests by the model that they went to, or answers. */
export type Scope = 'request to any model' | 'request to a model before Gemini 3' | 'answer';

/** All that may change when a recording is decoded and encoded again. One that covers nothing fails the test. */
export const WIRE_EXCLUSIONS: readonly (Exclusion & { scope: Scope })[] = [
  {
    scope: 'request to any model',
    path: 'systemInstruction.role',
    change: 'lost',
    reason: 'The API passes over the role of a system instruction; it is not written.',
  },
  {
    scope: 'request to a model before Gemini 3',
    path: 'contents[].parts[].functionCall.id',
    change: 'lost',
    reason: 'These models give no ids, so none is theirs; Vertex refuses ids on them ("Unknown name").',
  },
  {
    scope: 'request to a model before Gemini 3',
    path: 'contents[].parts[].functionResponse.id',
    change: 'lost',
    reason: 'As for the call that it answers.',
  },
  {
    scope: 'answer',
    path: 'candidates[].index',
    change: 'added',
    reason: 'Vertex leaves the index out where it is 0, as protobuf does with defaults; we always write it.',
  },
];
