/** One kind of what an acceptance may leave in an account. */
export interface Kind {
  /** In the plural, for people. */
  what: string;
  /** All of it that belongs to a name, page by page; each by what `remove` takes. */
  list(name: string): Promise<string[]>;
  /** Undefined for what goes with its stack. */
  remove?(id: string): Promise<void>;
}
