// Signals to intentions: SIGTERM and SIGINT stop, a second one stops at once, SIGHUP reloads. What other servers rotate logs or
// programs by does nothing.

export type Intentions = {
  readonly stop: (signal: NodeJS.Signals) => void;
  readonly stopNow: (signal: NodeJS.Signals) => void;
  readonly reload: () => void;
};

/** Without a handler the first has Node listen for a debugger, which may run any code, and the second ends the process. */
const IGNORED = ['SIGUSR1', 'SIGUSR2'] as const;
const ignore = (): void => {};

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
  for (const signal of IGNORED) process.on(signal, ignore);
  return () => {
    process.off('SIGTERM', onStop);
    process.off('SIGINT', onStop);
    process.off('SIGHUP', reload);
    for (const signal of IGNORED) process.off(signal, ignore);
  };
}
