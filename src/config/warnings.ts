// What was given and can be meant, but probably is not: told, and no error. Pure.

import { canonicalAddress, isLoopback } from '../net/addresses.ts';
import type { Config, Environment } from './config.ts';
import { nearestOption } from './file.ts';
import { OPTION_NAMES, VARIABLE_PREFIX, variableOf } from './options.ts';

/** One line each, with what to do. */
export function warningsOf(config: Config, env: Environment): string[] {
  return [...mistypedVariables(env), ...upstreamOutside(config)];
}

function mistypedVariables(env: Environment): string[] {
  const known = [...OPTION_NAMES, 'config'].map(variableOf);
  return Object.entries(env).flatMap(([name, value = '']) => {
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name) || isOfService(name, value)) return [];
    const written = name.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll('_', '-');
    // Two letters from `cert`, but what is meant is plain.
    const meant = written === 'port' ? 'listen' : nearestOption(written);
    if (meant === undefined) return [];
    return [`${name} names no option, and is ignored; did you mean ${variableOf(meant)}?`];
  });
}

/**
 * A Service called tls-sidecar, or tls-sidecar-…, puts its addresses into every Pod of its namespace:
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function isOfService(name: string, value: string): boolean {
  if (/_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/.test(name)) return true;
  if (/_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//i.test(value);
}

function upstreamOutside({ upstream }: Config): string[] {
  return upstream.flatMap((app) =>
    app.kind === 'unix' || staysInPod(app.host)
      ? []
      : [
          `--upstream ${app.host} is no loopback address: unless it is the Pod's own, requests leave the Pod in plain text`,
        ],
  );
}

function staysInPod(host: string): boolean {
  const address = canonicalAddress(host);
  if (address === undefined) return host === 'localhost' || host.endsWith('.localhost');
  // To connect to the unspecified address is to connect to the machine itself.
  return isLoopback(address) || ['0.0.0.0', '::'].includes(address);
}
