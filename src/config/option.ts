// What an option is: its group, default, parser and sentence of help.

export type Option<T> = {
  readonly group: 'Certificates' | 'Clients' | 'Traffic' | 'Limits' | 'Stopping' | 'Observing';
  /** A flag without a value, and its `--no-` form; as text it is `true` or `false`. */
  readonly switch?: true;
  /** As a user would write it. */
  readonly default: string;
  /** What --help shows after the flag. */
  readonly takes: string;
  /** Text to value, or a Malformed that says what it takes. */
  readonly parse: (text: string) => T;
  /** What people are shown of a value of which a part may be secret; without it, all of it. */
  readonly shown?: (text: string) => string;
  /** One sentence. */
  readonly help: string;
};

/** An option that may be given several times; `parse` reads each value, the default stands for one, or '' for none. */
export type ListOption<T> = Option<T> & { readonly list: true };

export function option<T>(spec: Option<T>): Option<T> {
  return spec;
}

export function listOption<T>(spec: Option<T>): ListOption<T> {
  return { ...spec, list: true };
}
