// What the log line `serving` says of the configuration: what it came to, not what was written.

import type { Config } from '../config/config.ts';
import { upstreamName } from '../forward/upstream.ts';
import type { Capacity } from '../net/capacity.ts';

export function servedFacts(config: Config, capacity: Capacity, certificates: readonly unknown[]) {
  const { upstream, upstreamProtocol, forwarder } = config;
  return {
    upstream: upstreamName(upstream),
    upstreamProtocol: upstream.kind === 'tcp' && upstream.h2c ? 'h2c' : upstreamProtocol,
    forwarder,
    maxConnections: capacity.connections,
    upstreamMaxConnections: capacity.upstreamConnections,
    certificates,
  };
}
