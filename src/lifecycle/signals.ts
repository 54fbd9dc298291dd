// Signals to intentions: SIGTERM and SIGINT stop, a second one stops at once, SIGHUP reloads.

export type Intentions = {
  readonly stop: (signal: NodeJS.Signals) => void;
  readonly stopNow: (signal: NodeJS.Signals) => void;
  readonly reload: () => void;
};

/** Returns the unsubscribe. */
export function onSignals({ stop, stopNow, reload }: Intentions): () => void {
  let stopping = false;
  const onStop = (signal: NodeJS.Signals): void => {
    if (stopping) return stopNow(signal);
    stopping = true;
    stop(signal);
  };
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  process.on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', onStop);
    process.off('SIGINT', onStop);
    process.off('SIGHUP', reload);
  };
}
