/**
 * Reqids tie policies to the SAs that may serve them: a packet that came through the SA of another reqid than its policy names is dropped. So each
 * client has its own, and an inner packet with somebody else's source address is dropped by the kernel.
 *
 * All of ours begin with the byte 0x52, which tells them from those of other programs: these count up from 1 (strongSwan) or 16384 (libreswan).
 */
const FIRST = 0x5200_0000;
const LAST = 0x52ff_ffff;

export const isOurs = (reqid: number): boolean => reqid >= FIRST && reqid <= LAST;

export class Reqids {
  readonly #byKey = new Map<string, { readonly reqid: number; holders: number }>();
  readonly #holders = new Map<number, number>();
  #next = FIRST;

  /**
   * The reqid of whoever holds one of the keys, the first that is held; otherwise a new one, or `wanted`. To be given back.
   * @throws Error when all are in use.
   */
  take(keys: readonly string[], wanted?: number): number {
    const reqid = wanted ?? this.#held(keys) ?? this.#unused();
    for (const key of keys) {
      const entry = this.#byKey.get(key);
      if (entry) entry.holders++;
      else this.#byKey.set(key, { reqid, holders: 1 });
    }
    this.#holders.set(reqid, (this.#holders.get(reqid) ?? 0) + 1);
    return reqid;
  }

  give(keys: readonly string[], reqid: number): void {
    for (const key of keys) {
      const entry = this.#byKey.get(key);
      if (entry && --entry.holders === 0) this.#byKey.delete(key);
    }
    const left = (this.#holders.get(reqid) ?? 1) - 1;
    if (left === 0) this.#holders.delete(reqid);
    else this.#holders.set(reqid, left);
  }

  clear(): void {
    this.#byKey.clear();
    this.#holders.clear();
  }

  #held(keys: readonly string[]): number | undefined {
    for (const key of keys) {
      const entry = this.#byKey.get(key);
      if (entry) return entry.reqid;
    }
    return undefined;
  }

  #unused(): number {
    for (let tried = FIRST; tried <= LAST; tried++) {
      const reqid = this.#next;
      this.#next = reqid === LAST ? FIRST : reqid + 1;
      if (!this.#holders.has(reqid)) return reqid;
    }
    throw new Error('all reqids are in use');
  }
}
