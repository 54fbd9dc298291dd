// What a peer makes happen may end its own connection, never the process: the callbacks that a socket, a stream or a
// timer calls are wrapped once, when they are registered, and what they throw goes to their owner.

export interface Guarded {
  /** A callback has thrown: tell of it, and close what it was called for. Must not throw itself. */
  crashed(error: unknown): void;
}

/** For the errors of a socket or a message of which nothing is to be told: a close always follows. */
export function ignoreError(): void {}

/**
 * Made once for each listener, not for each call. The arguments are named, since an array of them would be made at each
 * call: no callback of ours has more than four.
 */
export function guarded<A = void, B = void, C = void, D = void>(
  owner: Guarded,
  callback: (a: A, b: B, c: C, d: D) => void,
): (a: A, b: B, c: C, d: D) => void {
  return (a, b, c, d) => {
    try {
      callback(a, b, c, d);
    } catch (error) {
      owner.crashed(error);
    }
  };
}
