// Cuts what clients wrote to a bounded length before it is logged: with HPACK a few bytes can stand for kilobytes, again and
// again. What was cut ends in `…`.

/** Enough to find the resource. */
export const MAX_PATH = 1024;
/** RFC 1035's longest name is 253; with a port and a dot at the end. */
export const MAX_HOST = 260;
export const MAX_METHOD = 32;
/** Of names, subjects and explanations. */
export const MAX_TEXT = 512;

export function bounded(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}
