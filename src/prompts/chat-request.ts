import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { FETCHABLE } from '../dialects/chat/content-parts.ts';
import { isDataUrl, parseDataUrl } from '../dialects/data-url.ts';
import { RenderError } from './render-error.ts';
import type { RenderedMessage } from './template.ts';

type RenderedPart = RenderedMessage['content'][number];

const ROLES: Readonly<Record<RenderedMessage['role'], string>> = {
  system: 'system',
  user: 'user',
  model: 'assistant',
  tool: 'user',
};

/**
 * Messages of a rendered prompt, as the chat dialect has them.
 *
 * @throws RenderError for a medium that no message can have
 */
export function chatMessages(rendered: readonly RenderedMessage[]): JsonObject[] {
  return rendered.map(({ role, content }) => {
    const parts = content.flatMap(chatPart);
    const isText = parts.every(({ type }) => type === 'text');
    if (role === 'system' && !isText)
      throw new RenderError('The prompt has a medium in what the system says, where only text may stand.');
    const text = () => parts.map(({ text }) => text).join('');
    return { role: ROLES[role], content: isText ? text().trim() : trimEnds(parts) };
  });
}

/** Lines of a file around a role are no words of its message. */
function trimEnds(parts: readonly JsonObject[]): JsonObject[] {
  return parts.map((part, index) => {
    const { text } = part;
    if (typeof text !== 'string') return part;
    if (index === 0) return { ...part, text: text.trimStart() };
    return index === parts.length - 1 ? { ...part, text: text.trimEnd() } : part;
  });
}

function chatPart(part: RenderedPart): JsonObject[] {
  if (part.text !== undefined) return [{ type: 'text', text: part.text }];
  if (part.media) return [mediaPart(part.media)];
  // A section: what goes there is the answer's form, which providers are told in their own words.
  return [];
}

const DATA_URL = /^data:([\w.+/-]+)(?:;[\w=.-]+)*;base64,/i;

/** Source: RFC 3986 3.1. */
const SCHEME = /^[a-z][a-z\d+.-]*:/i;

/** In the words of who gives it: they know nothing of the messages. */
function checkAddress(url: string): void {
  if (!SCHEME.test(url))
    throw new RenderError('The address of a medium is none: it is a URL such as https://…, or a data URL.');
  if (!isDataUrl(url)) {
    if (!FETCHABLE.test(url))
      throw new RenderError("The address of a medium begins with 'https:', 'http:' or 'data:'.");
  } else if (!parseDataUrl(url)) {
    const expected = "'data:<media type>;base64,<data>' was expected";
    throw new RenderError(`The data URL of a medium is not well-formed; ${expected}.`);
  }
}

function mediaPart({ url, contentType }: { url: string; contentType?: string }): JsonObject {
  checkAddress(url);
  const ofData = DATA_URL.exec(url)?.[1];
  const type = (contentType ?? ofData)?.toLowerCase();
  if (type === undefined || type.startsWith('image/')) return { type: 'image_url', image_url: { url } };
  if (ofData === undefined)
    throw new RenderError('Only images may be given by their address: send other files as data URLs.');
  const data: JsonValue = url.slice(url.indexOf(',') + 1);
  const format = /^audio\/(?:x-)?(wav|mp3|mpeg)/.exec(type)?.[1];
  if (format !== undefined)
    return { type: 'input_audio', input_audio: { data, format: format === 'mpeg' ? 'mp3' : format } };
  return { type: 'file', file: { filename: `file.${type.split('/').at(-1)}`, file_data: url } };
}
