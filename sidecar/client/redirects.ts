/** To which gateway we were sent, by which, and how often lately (RFC 5685 §7). What is configured never changes (§3). */
import { parseAddress } from '../contract/address.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ClientOptions } from './options.ts';

/** RFC 5685 §7. */
const MAX_REDIRECTS = 5;
const REDIRECT_LOOP_DETECT_PERIOD_MS = 300_000;

export class Redirects {
  #now: { readonly to: string; readonly from: Bytes | undefined } | undefined;
  #times: readonly number[] = [];

  /** The address of the gateway that sent us to where we are, 4 or 16 bytes. */
  get from(): Bytes | undefined {
    return this.#now?.from;
  }

  /** The same options, with the gateway that we were sent to. */
  at(options: ClientOptions): ClientOptions {
    return this.#now ? { ...options, gateway: { ...options.gateway, host: this.#now.to } } : options;
  }

  /** `from`: an address. False: too often, and the next attempt is at the configured gateway again. */
  follow(to: string, from: string, now: number): boolean {
    const recent = this.#times.filter((time) => now - time < REDIRECT_LOOP_DETECT_PERIOD_MS);
    const may = recent.length < MAX_REDIRECTS;
    this.#times = may ? [...recent, now] : recent;
    this.#now = may ? { to, from: parseAddress(from) } : undefined;
    return may;
  }

  /** Back to the configured gateway. False: we are there already. */
  giveUp(): boolean {
    const was = this.#now !== undefined;
    this.#now = undefined;
    return was;
  }
}
