// Keeps a defect where it happened: what throws in a callback ends what the callback belongs to, never the process.

/** `run` as a callback that never throws; what it throws goes to `crashed`. Made once for what it guards, not for each call. */
export function guard<A extends unknown[]>(
  run: (...args: A) => void,
  crashed: (error: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      run(...args);
    } catch (error) {
      crashed(error);
    }
  };
}
