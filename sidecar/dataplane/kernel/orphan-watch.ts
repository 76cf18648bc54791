/** Children that no sidecar answers for stay so long in the kernel, so that a restart cuts no traffic, and no longer. */
export class OrphanWatch {
  readonly #graceMs: number;
  readonly #orphaned: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `orphaned`: called once for each `begin` after which nobody came. */
  constructor(graceMs: number, orphaned: () => void) {
    this.#graceMs = graceMs;
    this.#orphaned = orphaned;
  }

  /** No sidecar is there. */
  begin(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#orphaned();
    }, this.#graceMs);
  }

  /** One has named all its children. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
