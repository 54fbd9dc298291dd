// The state of the process, which only moves forward: starting → ready → draining → stopped.

export const STATES = ['starting', 'ready', 'draining', 'stopped'] as const;
export type State = (typeof STATES)[number];

export interface Lifecycle {
  readonly state: State;
  /** Moves to a later state; anything else has no effect and gives false. */
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
