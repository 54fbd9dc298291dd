// What the sidecar's memory does over many rotations: samples in, a slope out. A single sample says little (the collector
// runs when it likes), so that the lowest of each window counts.

export type Sample = { readonly rotation: number; readonly rssBytes: number; readonly heapBytes: number };

type Point = { readonly x: number; readonly y: number };

/** The lowest sample of each window, the first ones (warm-up) left out. */
export function lows(
  samples: readonly Sample[],
  of: (sample: Sample) => number,
  warmUp: number,
  window: number,
): Point[] {
  const points: Point[] = [];
  for (const sample of samples) {
    if (sample.rotation < warmUp) continue;
    const at = Math.floor((sample.rotation - warmUp) / window);
    const point = { x: sample.rotation, y: of(sample) };
    if (point.y < (points[at]?.y ?? Number.POSITIVE_INFINITY)) points[at] = point;
  }
  return points;
}

/** Bytes a rotation, by least squares. */
export function slope(points: readonly Point[]): number {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const above = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  const below = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
  return above / below;
}
