// What the log line `serving` says of the configuration: what it came to, not what was written. Where there are several
// listeners, what differs between them is a list in the order of --listen.

import type { Config } from '../config/config.ts';
import { isH2cOnly, upstreamPerListener } from '../config/upstreams.ts';
import { upstreamName } from '../forward/upstream.ts';
import type { Capacity } from '../net/capacity.ts';
import type { Bound } from '../net/ports.ts';
import type { BuiltIn } from './built-in.ts';

export type Served = {
  readonly listen: readonly Bound[];
  readonly capacity: Capacity;
  readonly certificates: readonly unknown[];
  readonly builtIn: BuiltIn | undefined;
};

export function servedFacts(config: Config, { listen, capacity, certificates, builtIn }: Served) {
  const { upstreamProtocol, forwarder } = config;
  const { connections: maxConnections } = capacity;
  if (builtIn !== undefined) return { listen: onlyOrAll(listen), app: builtIn.name, maxConnections, certificates };
  const upstreams = upstreamPerListener(config);
  return {
    listen: onlyOrAll(listen),
    upstream: onlyOrAll(upstreams.map(upstreamName)),
    upstreamProtocol: onlyOrAll(upstreams.map((upstream) => (isH2cOnly(upstream) ? 'h2c' : upstreamProtocol))),
    forwarder,
    maxConnections,
    upstreamMaxConnections: capacity.upstreamConnections,
    certificates,
  };
}

function onlyOrAll<T>(values: readonly T[]): T | readonly T[] {
  const [only, ...others] = values;
  return only !== undefined && others.length === 0 ? only : values;
}
