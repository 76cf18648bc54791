/** IKE_AUTH with EAP of a hand-driven client, with answers of EAP that are given by hand. */
import { sharedKeyAuth } from '../../sidecar/ike/auth.ts';
import type { EapAnswer, EapOutcome } from '../../sidecar/ike/eap.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { eapBody } from '../../sidecar/ike/wire/eap-payload.ts';
import { notify, type Payload } from '../../sidecar/ike/wire/payload.ts';
import { AuthMethod, Exchange, Notify } from '../../sidecar/ike/wire/registry.ts';
import { MSK, outcome, packet, played } from './eap-script.ts';
import { type Change, childOffer, configuration, ikeSaInit, same } from './handshake.ts';
import { crypto, type Heard, type Peer } from './peer.ts';
import { ALICE } from './policy.ts';

export const EAP_ONLY = notify(Notify.EAP_ONLY_AUTHENTICATION);

export const first = (identity = ALICE, ...more: readonly Payload[]): Payload[] => [
  { kind: 'IDi', ...identity },
  configuration(),
  ...childOffer(0x0a00_0001),
  notify(Notify.TICKET_REQUEST),
  EAP_ONLY,
  ...more,
];

/** HDR, SAi1, KEi, Ni  -->  <--  HDR, SAr1, KEr, Nr     HDR, SK {IDi, CP, SAi2, TSi, TSr, N+}  -->  and what comes back at once. */
export function begin(peer: Peer, payloads: readonly Payload[] = first(), init: Change = same): Heard | undefined {
  ikeSaInit(peer, { change: init });
  return peer.request(Exchange.IKE_AUTH, payloads);
}

/** Whoever speaks EAP answers its last question; what is said to the peer then. */
export function answer(peer: Peer, given?: EapAnswer): Heard[] {
  const { subject } = peer;
  const question = subject.eap.at(-1);
  if (!question) throw new Error('nobody asked');
  return peer.hear(subject.do({ type: 'eap-answered', conversation: question.conversation, answer: given ?? played(question) }));
}

export const say = (peer: Peer, message: Bytes): Heard | undefined =>
  peer.request(Exchange.IKE_AUTH, [{ kind: 'EAP', ...eapBody(message) }]);

/** Up to EAP-Success. */
export function converse(
  peer: Peer,
  given: Partial<EapOutcome> = {},
  payloads: readonly Payload[] = first(),
  init: Change = same,
): Heard | undefined {
  begin(peer, payloads, init);
  answer(peer);
  say(peer, packet(2, 1));
  answer(peer);
  say(peer, packet(2, 2));
  return answer(peer, { is: 'success', message: packet(3, 2), ...outcome(given) })[0];
}

export const proofFor = (peer: Peer, secret: Bytes = MSK, identity = ALICE): Payload => {
  const { first: messages, keys, suite, role } = peer;
  if (!messages || !keys) throw new Error('nothing to prove yet');
  const data = sharedKeyAuth({ first: messages, keys, suite }, role, identity, secret, { crypto });
  return { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data };
};

export const prove = (peer: Peer, secret: Bytes = MSK, identity = ALICE): Heard | undefined =>
  peer.request(Exchange.IKE_AUTH, [proofFor(peer, secret, identity)]);
