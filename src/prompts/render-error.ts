/** An input with which a template gives no prompt. The message is for who sent it. */
export class RenderError extends Error {}
