// What a run of the cluster says while it runs: each step with its time, and how it ends.

const begun = performance.now();

export function say(text: string): void {
  console.log(`${seconds(performance.now() - begun).padStart(8)}  ${text}`);
}

/** Says what was done, with the text that it returns, and how long it took. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    const result = await work();
    const told = typeof result === 'string' ? `: ${result}` : '';
    say(`ok    ${what}${told} (${seconds(performance.now() - started)})`);
    return result;
  } catch (error) {
    say(`FAIL  ${what} (${seconds(performance.now() - started)})`);
    throw error;
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
