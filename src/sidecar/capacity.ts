// How many connections to clients and to the app the process can hold, out of the configuration: which pools of connections
// to the app there will be, for each of its addresses.

import type { Config } from '../config/config.ts';
import { isH2cOnly, upstreamsOf } from '../config/upstreams.ts';
import { MAX_SESSIONS } from '../forward/upstream.ts';
import { type Capacity, capacityOf, type Demand, readSystemLimits, type SystemLimits } from '../net/capacity.ts';

export type CapacityConfig = Pick<
  Config,
  'maxConnections' | 'upstreamMaxConnections' | 'listen' | 'upstream' | 'upstreamProtocol' | 'forwarder'
>;

export function planCapacity(config: CapacityConfig, limits: SystemLimits = readSystemLimits()): Capacity {
  return capacityOf(limits, demandOf(config));
}

function demandOf(config: CapacityConfig): Demand {
  const { maxConnections, upstreamMaxConnections, upstreamProtocol, forwarder } = config;
  const upstreams = upstreamsOf(config);
  const withHttp1 = upstreams.filter((upstream) => upstreamProtocol !== 'h2c' && !isH2cOnly(upstream));
  // http-proxy has two pools, one of them for requests that are sent again; HTTP/2 clients are carried by wire beside it.
  const pools = forwarder === 'http-proxy' ? 3 : 1;
  return {
    maxConnections,
    upstreamMaxConnections,
    upstreamPools: withHttp1.length * pools,
    upstreamSessions: MAX_SESSIONS,
    sessionPools: upstreamProtocol === 'http1' ? 0 : upstreams.length,
  };
}
