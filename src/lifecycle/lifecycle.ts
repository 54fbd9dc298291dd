// What the process is doing, in one word, one way: starting → ready → draining → stopped. No state is entered twice.

export const STATES = ['starting', 'ready', 'draining', 'stopped'] as const;
export type State = (typeof STATES)[number];

export interface Lifecycle {
  readonly state: State;
  /** Goes on to a later state; going back, or nowhere, has no effect and gives false. */
  advance(to: State): boolean;
}

export function createLifecycle(onChange: (state: State) => void): Lifecycle {
  let state: State = 'starting';
  return {
    get state() {
      return state;
    },
    advance(to) {
      if (STATES.indexOf(to) <= STATES.indexOf(state)) return false;
      state = to;
      onChange(to);
      return true;
    },
  };
}
