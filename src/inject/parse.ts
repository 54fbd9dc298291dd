// Text of inject's flags and annotations to values. Every function gives the value, or throws a Malformed that says what
// is accepted.

import { Malformed, parseDuration } from '../config/parse.ts';
import type { AppPort, Mode } from './settings.ts';

/** DNS labels joined by dots, as names of Secrets are: RFC 1123 section 2.1. */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** RFC 6335 section 5.1. */
const PORT_NAME = /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/;
const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?|Ki)?$/;
/** Below it Linux lets root only listen. */
const FIRST_FREE_PORT = 1024;

export function parseMode(text: string): Mode {
  if (text !== 'target-port' && text !== 'redirect') throw new Malformed('target-port or redirect');
  return text;
}

export function parseInject(text: string): string {
  if (text !== 'true' && text !== 'false') throw new Malformed('"true" or "false"');
  return text;
}

export function parseProbes(text: string): 'rewrite' | 'keep' {
  if (text !== 'rewrite' && text !== 'keep') throw new Malformed('rewrite or keep');
  return text;
}

export function parseSecret(text: string): string {
  if (text.length > 253 || !SECRET_NAME.test(text))
    throw new Malformed('the name of a Secret: lower-case letters, digits, - and .');
  return text;
}

export function parseText(text: string): string {
  if (!/^[^\s]+$/.test(text)) throw new Malformed('a text without blanks');
  return text;
}

export function parseQuantity(text: string): string {
  if (!QUANTITY.test(text)) throw new Malformed('a quantity of Kubernetes, as 50m or 128Mi');
  return text;
}

/** A port that the sidecar itself listens on. */
export function parsePort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < FIRST_FREE_PORT || port > 65535)
    throw new Malformed('a port from 1024 to 65535, because the sidecar does not run as root');
  return port;
}

/** `80`, `http` (a port's name), or `80:8443` with where TLS for it is accepted. */
export function parsePorts(texts: readonly string[]): AppPort[] {
  const ports = texts.map((text): AppPort => {
    const [app = '', listen, ...rest] = text.split(':');
    const number = /^[0-9]{1,5}$/.test(app) ? Number(app) : undefined;
    const valid = number === undefined ? PORT_NAME.test(app) : number >= 1 && number <= 65535;
    if (!valid || rest.length > 0) throw new Malformed('a port of the app by number or name, as 80, http or 80:8443');
    return { app: number ?? app, ...(listen !== undefined && { listen: parsePort(listen) }) };
  });
  const twice = ports.find(({ app }, at) => ports.findIndex((other) => other.app === app) !== at);
  if (twice !== undefined) throw new Malformed(`each port once, not ${twice.app} twice`);
  return ports;
}

/** Whole seconds of `8s`; 0 is off. Kubernetes knows no others here. */
export function parseSeconds(text: string): number {
  const seconds = parseDuration(text) / 1000;
  if (!Number.isInteger(seconds)) throw new Malformed('whole seconds, as 8s, or 0 for none');
  return seconds;
}
