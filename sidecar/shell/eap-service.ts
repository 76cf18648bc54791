/** Whoever speaks EAP in a gateway: the methods of its own and the RADIUS servers behind it, by what is in force now. */
import type { RadiusConfig } from '../contract/authentication.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { NO_RADIUS_SECRETS, type RadiusSecrets } from '../contract/radius-secrets.ts';
import { EapServer, type EapServerCredentials } from '../eap/server.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import { TRUSTS_NOBODY } from '../ike/pki/trust.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { EapPassThrough } from '../radius/eap-pass-through.ts';
import type { RadiusPorts } from '../radius/ports.ts';
import { Server } from '../radius/server.ts';
import { ServerList } from '../radius/server-list.ts';
import type { Clock } from './clock.ts';
import type { ServerCredentials } from './credential-files.ts';

export interface EapServiceParts {
  readonly random: (length: number) => Bytes;
  readonly clock: Clock;
  readonly radius: RadiusPorts;
  /** An exception that is a bug. */
  readonly failed: (error: unknown) => void;
}

const MOST_CONVERSATIONS = 4_096;

export class EapService implements EapSpeaker {
  readonly #parts: EapServiceParts;
  readonly #passThrough: EapPassThrough;
  readonly #server: EapServer;
  #credentials: EapServerCredentials = {
    ...{ name: 'gateway', users: { ntHash: () => undefined }, trust: TRUSTS_NOBODY, certificate: undefined },
    authorities: () => [],
  };
  #radius: { readonly config: string; readonly secrets: RadiusSecrets; readonly servers: ServerList } = NO_RADIUS;

  constructor(parts: EapServiceParts) {
    const { random, clock, radius, failed } = parts;
    this.#parts = parts;
    this.#passThrough = new EapPassThrough({ ports: radius, mostConversations: MOST_CONVERSATIONS });
    this.#server = new EapServer({
      ...{ random, failed, now: clock, radius: this.#passThrough, maxConversations: MOST_CONVERSATIONS },
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
    this.#useRadius(radius, secrets);
  }

  answer(question: EapQuestion): Promise<EapAnswer> {
    return this.#server.answer(question);
  }

  forget(conversation: string): void {
    this.#server.forget(conversation);
  }

  close(): void {
    this.#radius.servers.close();
  }

  /** Servers that stay the same keep what is known of them. */
  #useRadius(radius: RadiusConfig | undefined, secrets: RadiusSecrets): void {
    const config = JSON.stringify(radius ?? null);
    if (config === this.#radius.config && (secrets === this.#radius.secrets || !radius)) return;
    const servers = new ServerList((radius?.servers ?? []).flatMap((server) => this.#serverAt(server, radius, secrets)));
    const before = this.#radius.servers;
    this.#radius = { config, secrets, servers };
    this.#passThrough.configure(radius && { servers, nasIdentifier: radius.nasIdentifier });
    before.close();
  }

  #serverAt(
    { host, port, secret: file }: RadiusConfig['servers'][number],
    radius: RadiusConfig | undefined,
    secrets: RadiusSecrets,
  ): readonly Server[] {
    const secret = secrets.secret(file)?.expose();
    if (!radius || !secret) return [];
    const { timeoutMs, attempts, nasIdentifier } = radius;
    return [new Server({ ports: this.#parts.radius, host, port, secret, timeoutMs, attempts, nasIdentifier })];
  }
}

const NO_RADIUS = { config: 'null', secrets: NO_RADIUS_SECRETS, servers: new ServerList([]) };
