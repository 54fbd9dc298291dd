// How the app is reached, out of the configuration: the forwarder with its limits. It decides nothing itself.

import type { Config } from '../config/config.ts';
import type { Clock } from '../exchange.ts';
import { createForwarder } from '../forward/choice.ts';
import { ANSWER_HEAD_BYTES, type ForwardLimits } from '../forward/forward.ts';
import { MAX_FIELDS } from '../listener/limits.ts';

export function openForwarder(config: Config, clock: Clock): ReturnType<typeof createForwarder> {
  const limits: ForwardLimits = {
    connectTimeoutMs: config.upstreamConnectTimeout,
    upstreamTimeoutMs: config.upstreamTimeout,
    idleTimeoutMs: config.upstreamIdleTimeout,
    maxConnections: config.upstreamMaxConnections,
    maxHeaderBytes: ANSWER_HEAD_BYTES,
    maxFields: MAX_FIELDS,
  };
  const { upstream, upstreamProtocol, forwarder } = config;
  return createForwarder({ upstream, upstreamProtocol, forwarder, limits, clock });
}
