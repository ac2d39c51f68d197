/** How a template calls a helper. */
export interface HelperShape {
  /** How many values stand behind its name. */
  params: number;
  isBlock: boolean;
  /** The fields without which it does nothing. */
  fields?: readonly string[];
  /** For who writes prompts. */
  written: string;
}

/** The whole set: a template can call nothing else. */
export const HELPERS: ReadonlyMap<string, HelperShape> = new Map([
  ['if', { params: 1, isBlock: true, written: '{{#if VALUE}}…{{/if}}' }],
  ['unless', { params: 1, isBlock: true, written: '{{#unless VALUE}}…{{/unless}}' }],
  ['with', { params: 1, isBlock: true, written: '{{#with VALUE}}…{{/with}}' }],
  ['each', { params: 1, isBlock: true, written: '{{#each LIST}}…{{/each}}' }],
  ['ifEquals', { params: 2, isBlock: true, written: '{{#ifEquals ONE OTHER}}…{{/ifEquals}}' }],
  ['unlessEquals', { params: 2, isBlock: true, written: '{{#unlessEquals ONE OTHER}}…{{/unlessEquals}}' }],
  ['lookup', { params: 2, isBlock: false, written: '{{lookup VALUE FIELD}}' }],
  ['json', { params: 1, isBlock: false, written: '{{json VALUE}}' }],
  ['role', { params: 1, isBlock: false, written: '{{role "user"}}, without a block' }],
  ['history', { params: 0, isBlock: false, written: '{{history}}' }],
  ['section', { params: 1, isBlock: false, written: '{{section "NAME"}}' }],
  ['media', { params: 0, isBlock: false, fields: ['url'], written: '{{media url=VALUE}}' }],
]);
