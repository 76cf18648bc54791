/** Whoever speaks EAP in a gateway: the methods of its own and the RADIUS servers behind it, by what is in force now. */
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { EapServer, type EapServerCredentials } from '../eap/server.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import { TRUSTS_NOBODY } from '../ike/pki/trust.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { Radius } from '../radius/radius.ts';
import type { Clock } from './clock.ts';
import type { ServerCredentials } from './credential-files.ts';

export interface EapServiceParts {
  readonly random: (length: number) => Bytes;
  readonly clock: Clock;
  readonly radius: Radius;
  /** Names of RADIUS secrets that the configuration has and no file: their servers are left out. */
  readonly missing: (secrets: readonly string[]) => void;
  /** An exception that is a bug. */
  readonly failed: (error: unknown) => void;
}

export class EapService implements EapSpeaker {
  readonly #radius: Radius;
  readonly #missing: EapServiceParts['missing'];
  readonly #server: EapServer;
  #credentials: EapServerCredentials = {
    ...{ name: 'gateway', users: { ntHash: () => undefined }, trust: TRUSTS_NOBODY, certificate: undefined },
    authorities: () => [],
  };

  constructor(parts: EapServiceParts) {
    const { random, clock, radius, missing, failed } = parts;
    this.#radius = radius;
    this.#missing = missing;
    this.#server = new EapServer({
      ...{ random, failed, now: clock, radius },
      credentials: () => this.#credentials,
    });
  }

  /** Conversations that are under way keep what they began with. */
  configure(
    { name, authentication, radius }: GatewayConfig,
    { users, trust, certificate, radius: secrets }: ServerCredentials,
  ): void {
    const authorities = new Map(authentication.map((rule) => [rule.name, rule.authorities]));
    this.#credentials = { name, users, trust, certificate, authorities: (rule) => authorities.get(rule) ?? [] };
    const missing = this.#radius.configure(radius, secrets);
    if (missing.length > 0) this.#missing(missing);
  }

  answer(question: EapQuestion): Promise<EapAnswer> {
    return this.#server.answer(question);
  }

  forget(conversation: string): void {
    this.#server.forget(conversation);
  }
}
