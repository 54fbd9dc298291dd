// Whom a request is for: the syntax of an authority, and the two forms in which HTTP/1.1 names it. Pure.

const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+(?::[0-9]{1,5})?$/;
const IP_LITERAL = /^\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?$/;
const PLAIN_NAME = /^[A-Za-z0-9\-.]+(?::[0-9]{1,5})?$/;
const PATH_START = /[/?#]/;

/** Whether the text is `host[:port]` (RFC 3986 section 3.2) without user info, and with a port below 65536. */
export function isAuthority(text: string): boolean {
  if (!PLAIN_NAME.test(text) && !REG_NAME.test(text) && !IP_LITERAL.test(text)) return false;
  const port = portOf(text);
  return port === '' || Number(port) <= 65535;
}

/** The port that an authority gives, or ''. */
export function portOf(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon < 0 || authority.endsWith(']') ? '' : authority.slice(colon + 1);
}

/**
 * Authority (lower case) and path of an absolute-form target (RFC 9112 section 3.2.2), which every server must take.
 * The path is '' when the target is no http or https URL, has user info or a fragment.
 */
export function originForm(target: string, method: string): [authority: string | undefined, path: string] {
  const scheme = /^https?:\/\//i.exec(target)?.[0];
  if (scheme === undefined) return [undefined, ''];
  const rest = target.slice(scheme.length);
  const start = rest.search(PATH_START);
  const authority = (start < 0 ? rest : rest.slice(0, start)).toLowerCase();
  // RFC 9112 section 3.2.4: OPTIONS of a server as a whole is asked with `*`.
  if (start < 0 && method === 'OPTIONS' && isAuthority(authority)) return [authority, '*'];
  const path = start < 0 ? '/' : rest.slice(start);
  if (!isAuthority(authority) || path.includes('#')) return [authority, ''];
  return [authority, path.startsWith('/') ? path : `/${path}`];
}
