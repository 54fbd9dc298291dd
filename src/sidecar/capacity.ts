// How many connections to clients and to the app the process can hold, out of the configuration: which pools of connections
// to the app there will be.

import type { Config } from '../config/config.ts';
import { MAX_SESSIONS } from '../forward/upstream.ts';
import { type Capacity, capacityOf, type Demand, readSystemLimits, type SystemLimits } from '../net/capacity.ts';

export type CapacityConfig = Pick<
  Config,
  'maxConnections' | 'upstreamMaxConnections' | 'upstream' | 'upstreamProtocol' | 'forwarder'
>;

export function planCapacity(config: CapacityConfig, limits: SystemLimits = readSystemLimits()): Capacity {
  return capacityOf(limits, demandOf(config));
}

function demandOf(config: CapacityConfig): Demand {
  const { maxConnections, upstreamMaxConnections, upstream, upstreamProtocol, forwarder } = config;
  const onlyH2c = upstreamProtocol === 'h2c' || (upstream.kind === 'tcp' && upstream.h2c === true);
  // http-proxy has two pools, one of them for requests that are sent again; HTTP/2 clients are carried by wire beside it.
  const pools = forwarder === 'http-proxy' ? 3 : 1;
  return {
    maxConnections,
    upstreamMaxConnections,
    upstreamPools: onlyH2c ? 0 : pools,
    upstreamSessions: upstreamProtocol === 'http1' ? 0 : MAX_SESSIONS,
  };
}
