/** Post-quantum pre-shared keys (RFC 8784) with a peer that derives its keys by itself, and what the policy demands. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concat, hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload, type Proposal } from '../../../sidecar/ike/wire/payload.ts';
import { Encr, Ke, Notify, TransformType } from '../../../sidecar/ike/wire/registry.ts';
import {
  adding,
  type Change,
  connect,
  ikeAuth,
  ikeProposal,
  ikeSaInit,
  ikeSessionResume,
  ticketIn,
} from '../../harness/handshake.ts';
import { ikeIntermediate, mixPpk, withAdditional } from '../../harness/intermediate.ts';
import { type Heard, notifies, Peer, payload } from '../../harness/peer.ts';
import { AEAD, config, policy } from '../../harness/policy.ts';
import { configure, gatewayOf, type Subject } from '../../harness/subject.ts';

const SECRET = utf8('32 bytes that only two should know');
const credentials = { hasPpks: true, ppk: (id: Uint8Array) => (hex(id) === hex(utf8('laptop')) ? SECRET : undefined) };
const gateway = (ike: Parameters<typeof config>[0] = {}): Subject => gatewayOf({ credentials, config: config(ike) });
const named = (name: string, type = 2): Payload => notify(Notify.PPK_IDENTITY, concat(Uint8Array.of(type), utf8(name)));

function begun(subject: Subject): { peer: Peer; init: Heard | undefined } {
  const peer = Peer.towards(subject);
  // HDR(A,0), SAi1, KEi, Ni, N(USE_PPK)  -->    <--  HDR(A,B), SAr1, KEr, Nr, N(USE_PPK)
  return { peer, init: ikeSaInit(peer, { change: adding(notify(Notify.USE_PPK)) }) };
}

describe('a post-quantum pre-shared key, the responder', () => {
  it('mixes the key that the peer names into SK_d, SK_pi and SK_pr, and says so', () => {
    const subject = gateway();
    const { peer, init } = begun(subject);
    assert.ok(notifies(init).includes(Notify.USE_PPK));
    mixPpk(peer, SECRET);
    // HDR, SK {IDi, AUTH, .., N(PPK_IDENTITY, PPK_ID)}  -->    <--  HDR, SK {IDr, AUTH, .., N(PPK_IDENTITY)}
    const auth = ikeAuth(peer, { change: adding(named('laptop')) });
    assert.ok(payload(auth, 'AUTH'));
    assert.ok(notifies(auth).includes(Notify.PPK_IDENTITY));
    assert.equal(subject.session().postQuantum, true);
    const held = ticketIn(peer, auth);
    subject.pass(1_000);
    const again = Peer.towards(subject, { seed: 300 });
    ikeSessionResume(again, held);
    // RFC 8784 §3: nothing of it in the keys of a resumption but through SK_d.
    assert.ok(payload(ikeAuth(again), 'AUTH'));
    assert.equal(subject.session().postQuantum, true);
  });

  it('goes together with IKE_INTERMEDIATE', () => {
    const subject = gateway({ ike: { algorithms: { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_512] } } });
    const peer = Peer.towards(subject);
    const both = (payloads: readonly Payload[]) => adding(notify(Notify.USE_PPK))(withAdditional([Ke.ML_KEM_512])(payloads));
    ikeSaInit(peer, { change: both });
    ikeIntermediate(peer, Ke.ML_KEM_512);
    mixPpk(peer, SECRET);
    assert.ok(payload(ikeAuth(peer, { change: adding(named('laptop')) }), 'AUTH'));
  });

  const refused = (subject: Subject, change: (peer: Peer) => Payload[], secret?: Uint8Array): void => {
    const { peer } = begun(subject);
    const more = change(peer);
    if (secret) mixPpk(peer, secret);
    assert.deepEqual(notifies(ikeAuth(peer, { change: adding(...more) })), [Notify.AUTHENTICATION_FAILED]);
    assert.equal(subject.sessions().length, 0);
  };

  it('refuses, always in the same words, no name, an unknown one, one of another type, another key, and no key', () => {
    refused(gateway(), () => []);
    refused(gateway(), () => [named('phone')], SECRET);
    refused(gateway(), () => [named('laptop', 1)], SECRET);
    refused(gateway(), () => [named('laptop')], utf8('another'));
    refused(gateway(), () => [named('laptop')]);
  });

  /** The AUTH without the key, in N(NO_PPK_AUTH). */
  const optional = (peer: Peer): Payload[] => {
    let plain = new Uint8Array();
    const change = (payloads: readonly Payload[]): never => {
      plain = (payloads.find((one) => one.kind === 'AUTH') as { data: Uint8Array }).data.slice();
      throw new Error('not to be sent');
    };
    assert.throws(() => ikeAuth(peer, { change }), /not to be sent/);
    return [named('phone'), notify(Notify.NO_PPK_AUTH, plain)];
  };

  it('goes on without when the peer allows that and so does the policy', () => {
    const subject = gateway();
    const { peer } = begun(subject);
    const plainKeys = peer.keys;
    const more = optional(peer);
    mixPpk(peer, SECRET); // AUTH is by a key that the gateway does not have
    const request = { change: adding(...more) };
    const mixedProof = peer.keys;
    peer.keys = { ...mixedProof!, d: plainKeys!.d };
    const auth = ikeAuth(peer, request);
    assert.ok(payload(auth, 'AUTH'));
    assert.ok(!notifies(auth).includes(Notify.PPK_IDENTITY));
    assert.equal(subject.session().postQuantum, false);
  });

  it('does not go on without where the policy demands one', () => {
    refused(gateway({ ike: { ppk: 'required' } }), optional, SECRET);
    refused(gateway({ ike: { postQuantum: 'required' } }), optional, SECRET);
  });

  it('ignores USE_PPK when there are no such keys, and refuses who does not say it where they are demanded', () => {
    assert.ok(!notifies(begun(gatewayOf()).init).includes(Notify.USE_PPK));
    const strict = gateway({ ike: { ppk: 'required' } });
    assert.deepEqual(notifies(ikeSaInit(Peer.towards(strict))), [Notify.NO_PROPOSAL_CHOSEN]);
    assert.equal(strict.gateway.counts().halfOpen, 0);
  });
});

describe('a policy that demands keys which are safe from quantum computers', () => {
  const algorithms = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_768] };

  it('refuses a full exchange without, and takes one with ML-KEM or a key of the kind', () => {
    const strict = () => gateway({ ike: { algorithms, postQuantum: 'required' } });
    assert.deepEqual(notifies(ikeSaInit(Peer.towards(strict()))), [Notify.NO_PROPOSAL_CHOSEN]);
    assert.ok(payload(ikeSaInit(Peer.towards(strict()), { change: withAdditional([Ke.ML_KEM_768]) }), 'KE'));
    assert.ok(payload(begun(strict()).init, 'KE'));
  });

  const offer = (number: number, keyBits: number, group: number, ...further: readonly number[]): Proposal => ({
    ...ikeProposal([group], undefined, keyBits),
    number,
    transforms: [
      ...ikeProposal([group], undefined, keyBits).transforms,
      ...further.map((id) => ({ type: TransformType.ADDKE1, id })),
    ],
  });
  const offering =
    (...proposals: readonly Proposal[]): Change =>
    (payloads) => [
      ...payloads.map((one) => (one.kind === 'SA' ? { ...one, proposals } : one)),
      notify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED),
    ];
  const chosenOf = (heard: Heard | undefined) => payload(heard, 'SA')?.proposals[0]?.number;
  const ciphers = [256, 128].map((keyBits) => ({ id: Encr.AES_GCM_16, keyBits }));

  it('takes the proposal that meets it, also with a cipher that it likes less', () => {
    const offers = offering(offer(1, 256, Ke.CURVE25519), offer(2, 128, Ke.CURVE25519, Ke.ML_KEM_768));
    const choose = (postQuantum: 'any' | 'required') =>
      chosenOf(
        ikeSaInit(Peer.towards(gateway({ ike: { algorithms: { ...algorithms, encryption: ciphers }, postQuantum } })), {
          change: offers,
        }),
      );
    assert.deepEqual([choose('any'), choose('required')], [1, 2]);
  });

  it('prefers ML-KEM to the group that it likes best, whatever it demands', () => {
    const offers = offering(offer(1, 256, Ke.CURVE25519), offer(2, 256, Ke.ECP_256, Ke.ML_KEM_768));
    const open = gateway({ ike: { algorithms } });
    assert.equal(chosenOf(ikeSaInit(Peer.towards(open), { group: Ke.ECP_256, change: offers })), 2);
    const other = ikeSaInit(Peer.towards(open, { seed: 300 }), { change: offers });
    assert.deepEqual(notifies(other), [Notify.INVALID_KE_PAYLOAD]);
  });

  it('refuses the ticket of a session that was not', () => {
    const subject = gateway();
    const peer = Peer.towards(subject);
    const held = ticketIn(peer, connect(peer));
    for (const ike of [{ postQuantum: 'required' }, { ppk: 'required' }] as const) {
      configure(subject, policy({ config: config({ ike }), credentials }));
      assert.deepEqual(notifies(ikeSessionResume(Peer.towards(subject, { seed: 300 }), held)), [Notify.TICKET_NACK]);
    }
  });
});
