/** What the ids of answers begin with at those who say by them what they are. */
const KNOWN_PREFIX = /^(?:chatcmpl-|cmpl-|gen-|msg_|resp_|req_)/;

/**
 * Names another vendor's answers in the form that clients of a dialect know: the same answer always by the same name.
 *
 * @param prefix as the ids of the dialect's own vendor have it
 */
export function answerIdsWith(prefix: string): (id: string) => string {
  return (id) =>
    id.startsWith(prefix) ? id : prefix + id.replace(KNOWN_PREFIX, '').replace(/[^A-Za-z0-9_-]/g, '');
}
