// What the sidecar's memory does over many rotations: samples in, a slope out. A single sample says little (the collector
// runs when it likes), so that the lowest of each window counts.

export type Sample = { readonly rotation: number; readonly rssBytes: number; readonly heapBytes: number };

/** Bytes a rotation, by least squares through the lowest sample of each window, the first ones (warm-up) left out. */
export function slope(
  samples: readonly Sample[],
  of: (sample: Sample) => number,
  warmUp: number,
  window: number,
): number {
  const points: { x: number; y: number }[] = [];
  const late = samples.filter(({ rotation }) => rotation >= warmUp);
  const first = late[0]?.rotation ?? 0;
  for (const sample of late) {
    const at = Math.floor((sample.rotation - first) / window);
    const y = of(sample);
    const known = points[at];
    if (known === undefined) points[at] = { x: sample.rotation, y };
    else if (y < known.y) points[at] = { x: sample.rotation, y };
  }
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const above = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  const below = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
  return above / below;
}
