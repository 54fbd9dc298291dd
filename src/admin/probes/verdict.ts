// What a probe of the app came to: the status that the kubelet is told, and words for people who ask by hand.

/** `text` is ours: nothing of the app's bytes goes on. */
export type Verdict = { readonly status: number; readonly text: string };

export const OK: Verdict = { status: 200, text: 'ok' };

/** The app accepts no connection, or does not speak what it was asked in. */
export function unreachable(text: string): Verdict {
  return { status: 502, text };
}

/** A verdict that ends a question from deep inside it. */
export class Ended extends Error {
  readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    super(verdict.text);
    this.verdict = verdict;
  }
}
