// What a peer makes happen may end its own connection, never the process: the callbacks that a socket, a stream or a
// timer calls are wrapped once, when they are registered, and what they throw goes to their owner.

export interface Guarded {
  /** A callback has thrown: tell of it, and close what it was called for. Must not throw itself. */
  crashed(error: unknown): void;
}

/** Made once for each listener, not for each call. */
export function guarded<A extends unknown[]>(owner: Guarded, callback: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      owner.crashed(error);
    }
  };
}
