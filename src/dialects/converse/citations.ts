import type { Citation } from '../../conversation/conversation.ts';
import { isObject, type JsonValue } from '../../conversation/json.ts';
import { objectOf, textOf } from './fields.ts';

/**
 * Citations of a block. Those of web pages get a neutral form, which supports the whole block; all of them are kept
 * as they came as well.
 *
 * Source: Bedrock API reference (`Citation`, `CitationLocation`).
 *
 * @param textLength of the block, in UTF-16 units
 */
export function decodeCitations(raw: readonly JsonValue[], textLength: number): Citation[] {
  return raw.filter(isObject).flatMap(({ title, location, sourceContent }) => {
    const url = textOf(objectOf(objectOf(location)['web'])['url']);
    if (url === '') return [];
    const quote = joinTexts(sourceContent);
    return [
      {
        url,
        ...(typeof title === 'string' ? { title } : {}),
        ...(quote === '' ? {} : { quote }),
        start: 0,
        end: textLength,
      },
    ];
  });
}

/** The `text` of all members of a list. */
export function joinTexts(list: JsonValue | undefined): string {
  return (Array.isArray(list) ? list : []).map((member) => textOf(objectOf(member)['text'])).join('');
}
