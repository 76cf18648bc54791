/** Why a process is not ready; it is when no reason is left. */
export class Readiness {
  readonly #reasons = new Map<string, string>();

  /** `reason` undefined: what is named no longer stands in the way. */
  set(name: string, reason: string | undefined): void {
    if (reason === undefined) this.#reasons.delete(name);
    else this.#reasons.set(name, reason);
  }

  get ready(): boolean {
    return this.#reasons.size === 0;
  }

  /** Sentences, for people. */
  reasons(): readonly string[] {
    return [...this.#reasons.values()];
  }
}
