// The forwarder and its limits, made from the configuration. It decides nothing itself.

import type { Config } from '../config/config.ts';
import { createForwarder } from '../forward/forward.ts';
import { ANSWER_HEAD_BYTES, type ForwarderOptions, type ForwardLimits } from '../forward/upstream.ts';
import { MAX_FIELDS } from '../listener/limits.ts';

type Given = Pick<ForwarderOptions, 'upstream' | 'clock' | 'deadlines' | 'crashed' | 'account'> & {
  /** See ShareOptions. */
  readonly shareRefused: () => void;
  /** What --upstream-max-connections comes to. */
  readonly maxConnections: number;
};

export function openForwarder(
  config: Config,
  { maxConnections, shareRefused, ...given }: Given,
): ReturnType<typeof createForwarder> {
  const limits: ForwardLimits = {
    connectTimeoutMs: config.upstreamConnectTimeout,
    upstreamTimeoutMs: config.upstreamTimeout,
    idleTimeoutMs: config.upstreamIdleTimeout,
    maxConnections,
    maxHeaderBytes: ANSWER_HEAD_BYTES,
    maxFields: MAX_FIELDS,
  };
  const { upstreamProtocol, forwarder } = config;
  const share = { percent: config.maxClientShare, refused: shareRefused };
  return createForwarder({ ...given, upstreamProtocol, forwarder, limits, share });
}
