/** What a peer with the right keys might say: what an honest one would, with something wrong in it; and anything else that is well-formed. */
import fc from 'fast-check';
import { resumptionAuth, sharedKeyAuth, signedOctets } from '../../../sidecar/ike/auth.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { type Identity, type IkeSa, type InPhase, inPhase } from '../../../sidecar/ike/sa.ts';
import { signAuth } from '../../../sidecar/ike/signature-auth.ts';
import type { Payload, PayloadOf } from '../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, Exchange } from '../../../sidecar/ike/wire/registry.ts';
import { payload } from '../arbitrary-payload.ts';
import { MSK } from '../eap-script.ts';
import { ALICE, GATEWAY, PSK } from '../policy.ts';
import { alice } from './certificates.ts';
import type { Overheard } from './overheard.ts';

export interface Said {
  /** Which of the honest messages that fit it begins with, modulo how many there are. */
  readonly like: number;
  /** Whether it begins with one of those that fit, or with any. */
  readonly fits: boolean;
  readonly edits: readonly Edit[];
  /** Whether its AUTH proves what it should. */
  readonly proves: boolean;
  /** Another exchange and direction than the honest one. */
  readonly odd: { readonly exchange: number; readonly response: boolean } | undefined;
  /** 0: the message id that is expected; else so much more. */
  readonly idOffset: number;
  /** Bytes that a datagram has room for. */
  readonly limit: number;
}

export type Edit =
  | { readonly kind: 'drop' | 'repeat' | 'move'; readonly at: number }
  /** `replace`: the payload of that kind, if there is one. */
  | { readonly kind: 'replace' | 'insert'; readonly at: number; readonly by: Payload };

const at = fc.nat(7);
export const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(fc.constantFrom('drop', 'repeat', 'move'), at).map(([kind, index]): Edit => ({ kind, at: index })),
  fc
    .tuple(fc.constantFrom('replace', 'replace', 'insert'), at, payload)
    .map(([kind, index, by]): Edit => ({ kind, at: index, by })),
);

const seldom = <T, U>(arbitrary: fc.Arbitrary<T>, usually: U): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 11, arbitrary: fc.constant(usually) }, { weight: 1, arbitrary });

export const said: fc.Arbitrary<Said> = fc.record(
  {
    like: fc.nat(1_000),
    fits: seldom(fc.constant(false), true),
    edits: fc.oneof(fc.constant([]), fc.array(edit, { maxLength: 2 }), fc.array(edit, { maxLength: 6 })),
    proves: seldom(fc.constant(false), true),
    odd: seldom(
      fc.record({ exchange: fc.oneof(fc.constantFrom(...Object.values(Exchange)), fc.nat(255)), response: fc.boolean() }),
      undefined,
    ),
    idOffset: seldom(fc.constantFrom(1, -1, 2), 0),
    limit: seldom(fc.constant(300), 60_000),
  },
  { noNullPrototype: true },
);

/** The message itself, for an SA that may be in any phase. */
export function spoken({ like, fits, edits, proves, odd }: Said, sa: IkeSa, overheard: readonly Overheard[]): Overheard {
  const fitting = fits ? overheard.filter((one) => fitsTo(one, sa)) : overheard;
  const candidates = fitting.length > 0 ? fitting : overheard;
  const honest = candidates[like % candidates.length];
  if (!honest) throw new RangeError('nothing was overheard');
  const changed = edits.reduce<readonly Payload[]>(edited, honest.payloads);
  const payloads = proves ? changed.map((one) => proven(one, sa)) : changed;
  return { exchange: odd?.exchange ?? honest.exchange, response: odd?.response ?? honest.response, payloads };
}

function fitsTo({ exchange, response, payloads }: Overheard, sa: IkeSa): boolean {
  const isFirst = exchange === Exchange.IKE_SA_INIT || exchange === Exchange.IKE_SESSION_RESUME;
  switch (sa.phase.name) {
    case 'initSent':
      return exchange === Exchange.IKE_SA_INIT && response;
    case 'resumeSent':
      return exchange === Exchange.IKE_SESSION_RESUME && response;
    case 'halfOpen':
    case 'eapSent':
    case 'eapProven':
      return exchange === Exchange.IKE_AUTH && !response;
    case 'authSent':
    case 'eapSaid':
    case 'eapAuthSent':
      return exchange === Exchange.IKE_AUTH && response;
  }
  if (isFirst || exchange === Exchange.IKE_AUTH) return false;
  if (!response || !sa.window.sent) return !response;
  const own = sa.phase.name === 'established' ? sa.phase.exchange?.kind : undefined;
  const hasKind = (kind: Payload['kind']): boolean => payloads.some((one) => one.kind === kind);
  if (own === 'rekeyIke') return exchange === Exchange.CREATE_CHILD_SA && !hasKind('TSi');
  if (own === 'newChild' || own === 'rekeyChild') return exchange === Exchange.CREATE_CHILD_SA && hasKind('TSi');
  return exchange === Exchange.INFORMATIONAL;
}

export function edited(payloads: readonly Payload[], edit: Edit): readonly Payload[] {
  const one = payloads[edit.at];
  const others = payloads.filter((_, index) => index !== edit.at);
  switch (edit.kind) {
    case 'drop':
      return others;
    case 'repeat':
      return one ? [...payloads, one] : payloads;
    case 'move':
      return one ? [...others, one] : payloads;
    case 'replace':
      return payloads.map((before) => (before.kind === edit.by.kind ? edit.by : before));
    case 'insert':
      return [...payloads.slice(0, edit.at), edit.by, ...payloads.slice(edit.at)];
  }
}

const ctx = { crypto: cryptography('auto') };

/** The AUTH that this handshake needs, from whoever knows the key. */
function proven(one: Payload, sa: IkeSa): Payload {
  if (one.kind !== 'AUTH' || !inPhase(sa, 'halfOpen', 'authSent', 'eapProven', 'eapAuthSent')) return one;
  if (one.method === AuthMethod.DIGITAL_SIGNATURE && inPhase(sa, 'halfOpen')) return signed(one, sa);
  const [side, identity] = sa.role === 'responder' ? (['initiator', ALICE] as const) : (['responder', GATEWAY] as const);
  return { ...one, data: proofOf(sa, side, identity) };
}

/** By the key of the certificate that comes with it. */
function signed(one: PayloadOf<'AUTH'>, { phase }: InPhase<'halfOpen'>): Payload {
  const key = ctx.crypto.signatures.privateKey(alice.pkcs8);
  return (key && signAuth(signedOctets(phase, 'initiator', ALICE, ctx), key, [5])) ?? one;
}

type Proving = InPhase<'halfOpen' | 'authSent' | 'eapProven' | 'eapAuthSent'>;

function proofOf({ phase }: Proving, side: 'initiator' | 'responder', identity: Identity): Uint8Array {
  if (phase.name === 'eapProven' || phase.name === 'eapAuthSent') return sharedKeyAuth(phase, side, identity, MSK, ctx);
  return phase.resumed ? resumptionAuth(phase, side, identity, ctx) : sharedKeyAuth(phase, side, identity, PSK, ctx);
}
