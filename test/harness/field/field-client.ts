/** A client of the field, played by hand: it sends what is documented of it, and takes what such a client takes. */
import { signedOctets } from '../../../sidecar/ike/auth.ts';
import { acceptedIke } from '../../../sidecar/ike/proposal.ts';
import type { Identity } from '../../../sidecar/ike/sa.ts';
import { signAuth } from '../../../sidecar/ike/signature-auth.ts';
import { everything } from '../../../sidecar/ike/traffic.ts';
import { type Bytes, EMPTY, Reader } from '../../../sidecar/ike/wire/bytes.ts';
import { NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { notify, type Payload, type Proposal } from '../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CertEncoding, CfgType, Exchange, Notify, TransformType } from '../../../sidecar/ike/wire/registry.ts';
import type { Issued } from '../certificate-authority.ts';
import { rekeySa } from '../create-child-sa.ts';
import { capabilities, keyPair, proofOf } from '../handshake.ts';
import { crypto, type Heard, NAT_PATH, notifyData, Peer, payload } from '../peer.ts';
import { PSK } from '../policy.ts';
import type { Subject } from '../subject.ts';

export interface FieldClient {
  readonly name: string;
  readonly ike: readonly Proposal[];
  readonly esp: (spi: number) => readonly Proposal[];
  /** Of a rekey of the child. */
  readonly espAnew: (spi: number) => readonly Proposal[];
  readonly idI: Identity;
  /** Undefined: it sends none. */
  readonly idR: Identity | undefined;
  /** In IKE_SA_INIT, beside NAT detection and fragmentation. */
  readonly init: readonly Payload[];
  /** In IKE_AUTH. */
  readonly auth: readonly Payload[];
  /** CERTREQ of the first IKE_AUTH request; none where it sends none. */
  readonly certreq: readonly Payload[];
  /** Attributes of its CFG_REQUEST, all empty. */
  readonly asks: readonly number[];
}

export type Credential = 'psk' | 'eap' | Issued;

const FIRST_SPI = 0x0c00_0001;

export class FieldSession {
  readonly client: FieldClient;
  readonly peer: Peer;
  /** Groups of the KE payloads that it sent, in order. */
  readonly groups: number[] = [];
  #spi: number;

  constructor(client: FieldClient, gateway: Subject, seed = 300) {
    this.client = client;
    this.peer = Peer.towards(gateway, { seed });
    this.#spi = FIRST_SPI + seed * 16;
  }

  /** HDR, SAi1, KEi, Ni, N+, V+  -->  as often as another group is asked for; the last answer. */
  init(group = groupsOf(this.client.ike)[0] ?? 0): Heard | undefined {
    const { peer, client } = this;
    this.groups.push(group);
    const pair = keyPair(peer, group);
    const ni = peer.random(32);
    peer.spiR = NO_SPI;
    const request = peer.clear(Exchange.IKE_SA_INIT, [
      { kind: 'SA', proposals: client.ike },
      { kind: 'KE', group, data: pair.publicValue },
      { kind: 'NONCE', data: ni },
      ...capabilities(peer, { behindNat: true }),
      ...client.init,
    ]);
    const [answer] = peer.send([request]);
    const other = notifyData(answer, Notify.INVALID_KE_PAYLOAD);
    if (other && this.groups.length < 4) return this.init(new Reader(other).u16());
    const [sa, ke, nr] = [payload(answer, 'SA'), payload(answer, 'KE'), payload(answer, 'NONCE')];
    if (!answer || !sa || !ke || !nr) return answer;
    peer.suite = acceptedIke(sa.proposals, client.ike).suite;
    peer.spiR = answer.spiR;
    peer.first = { initiator: request, responder: answer.datagrams[0] ?? EMPTY, ni, nr: nr.data };
    peer.derive({ from: 'full', shared: pair.conclude(pair.privateKey, ke.data) }, ni, nr.data);
    peer.next = 1;
    peer.path = NAT_PATH;
    return answer;
  }

  /** HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] [AUTH,] CP, SAi2, TSi, TSr, N+}  --> */
  auth(credential: Credential, limit = 1_200, idR = this.client.idR): Heard | undefined {
    const { client, peer } = this;
    return peer.request(
      Exchange.IKE_AUTH,
      [
        { kind: 'IDi', ...client.idI },
        ...this.#certificates(credential),
        ...(credential === 'psk' ? [] : client.certreq),
        ...(idR ? [{ kind: 'IDr', ...idR } as const] : []),
        ...this.#proof(credential),
        { kind: 'CP', cfgType: CfgType.CFG_REQUEST, attributes: client.asks.map((type) => ({ type, value: EMPTY })) },
        { kind: 'SA', proposals: client.esp(this.#spi) },
        { kind: 'TSi', selectors: [everything(4), everything(6)] },
        { kind: 'TSr', selectors: [everything(4), everything(6)] },
        ...client.auth,
      ],
      { limit },
    );
  }

  /** Both. */
  connect(credential: Credential = 'psk'): Heard | undefined {
    const first = this.init();
    return payload(first, 'NONCE') ? this.auth(credential) : first;
  }

  /** HDR, SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}  -->  `group`: of the KE payload. */
  rekeyChild(group?: number): Heard | undefined {
    const { peer, client } = this;
    const pair = group === undefined ? undefined : keyPair(peer, group);
    const old = this.#spi;
    this.#spi += 1;
    const heard = peer.request(Exchange.CREATE_CHILD_SA, [
      rekeySa(old),
      { kind: 'SA', proposals: client.espAnew(this.#spi) },
      { kind: 'NONCE', data: peer.random(32) },
      ...(pair && group !== undefined ? [{ kind: 'KE', group, data: pair.publicValue } as const] : []),
      { kind: 'TSi', selectors: [everything(4), everything(6)] },
      { kind: 'TSr', selectors: [everything(4), everything(6)] },
    ]);
    if (!payload(heard, 'SA')) this.#spi = old;
    return heard;
  }

  #certificates(credential: Credential): Payload[] {
    if (typeof credential === 'string') return [];
    return [{ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data: credential.der }];
  }

  #proof(credential: Credential): Payload[] {
    const { peer, client } = this;
    if (credential === 'eap') return [];
    if (credential === 'psk') return [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: proofOf(peer, client.idI, PSK) }];
    const { first, keys, suite } = peer;
    const key = crypto.signatures.privateKey(credential.pkcs8);
    if (!first || !keys || !key) throw new Error('nothing to sign');
    const octets: Bytes = signedOctets({ first, keys, suite }, 'initiator', client.idI, { crypto });
    const auth = signAuth(octets, key, hashesTold(client) ? [2, 3, 4] : []);
    return auth ? [auth] : [];
  }
}

const hashesTold = ({ init }: FieldClient): boolean =>
  init.some((one) => one.kind === 'N' && one.notify === Notify.SIGNATURE_HASH_ALGORITHMS);

/** Groups of an offer in their order. */
export const groupsOf = (proposals: readonly Proposal[]): number[] => [
  ...new Set(
    proposals.flatMap(({ transforms }) => transforms.filter(({ type }) => type === TransformType.KE).map(({ id }) => id)),
  ),
];

export const told = (...types: readonly Notify[]): Payload[] => types.map((type) => notify(type));
