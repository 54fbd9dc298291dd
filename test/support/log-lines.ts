// A line of the program's log, and what a reader of it needs more than once.

export type LogLine = Readonly<Record<string, unknown>>;

/** Undefined for a line that is no JSON object. */
export function parseLine(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

/** Of an address as the line `serving` tells it; 0 where there is none. */
export function portOf(address: unknown): number {
  const port = typeof address === 'object' && address !== null && 'port' in address ? address.port : undefined;
  return typeof port === 'number' ? port : 0;
}
