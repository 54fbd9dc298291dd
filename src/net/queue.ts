// A queue from whose middle a member can be taken, and whose members know their neighbours: every step costs the same,
// however long it is, and nothing is allocated. A member is in one queue at a time.

export interface Queued<T> {
  before: T | undefined;
  after: T | undefined;
}

export class Queue<T extends Queued<T>> {
  #first: T | undefined = undefined;
  #last: T | undefined = undefined;

  get first(): T | undefined {
    return this.#first;
  }

  /** At the end. It must be in no queue. */
  push(member: T): void {
    member.before = this.#last;
    if (this.#last === undefined) this.#first = member;
    else this.#last.after = member;
    this.#last = member;
  }

  /** Before all others. It must be in no queue. */
  unshift(member: T): void {
    member.after = this.#first;
    if (this.#first === undefined) this.#last = member;
    else this.#first.before = member;
    this.#first = member;
  }

  /** It must be in this queue. */
  delete(member: T): void {
    const { before, after } = member;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    member.before = undefined;
    member.after = undefined;
  }
}
