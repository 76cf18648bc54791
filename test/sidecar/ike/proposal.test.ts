import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Algorithms } from '../../../sidecar/contract/gateway-config.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import {
  acceptedEsp,
  acceptedIke,
  acceptedIkeRekey,
  chooseEsp,
  chooseIke,
  demandKe,
  espProposals,
  ikeProposals,
} from '../../../sidecar/ike/proposal.ts';
import { EMPTY, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import type { Proposal, Transform } from '../../../sidecar/ike/wire/payload.ts';
import { Encr, Esn, Integ, Ke, Notify, Prf, Protocol, TransformType } from '../../../sidecar/ike/wire/registry.ts';
import { payloadOf } from '../../harness/arbitrary-payload.ts';

const GCM256 = { id: Encr.AES_GCM_16, keyBits: 256 };
const GCM128 = { id: Encr.AES_GCM_16, keyBits: 128 };
const CBC256 = { id: Encr.AES_CBC, keyBits: 256 };
const CHACHA = { id: Encr.CHACHA20_POLY1305, keyBits: 0 };

const ike: Algorithms = {
  encryption: [GCM256, GCM128, CHACHA, CBC256],
  integrity: [Integ.HMAC_SHA2_256_128, Integ.HMAC_SHA2_512_256],
  prf: [Prf.HMAC_SHA2_256, Prf.HMAC_SHA2_512],
  keyExchange: [Ke.CURVE25519, Ke.ECP_256, Ke.MODP_2048],
  additionalKeyExchange: [],
};
const esp: Algorithms = { ...ike, prf: [] };
const spi = unhex('00112233');

const encr = (id: number, keyBits?: number): Transform => ({
  type: TransformType.ENCR,
  id,
  ...(keyBits !== undefined && { keyBits }),
});
const prf = (id: number): Transform => ({ type: TransformType.PRF, id });
const integ = (id: number): Transform => ({ type: TransformType.INTEG, id });
const ke = (id: number): Transform => ({ type: TransformType.KE, id });
const esn = (id: number): Transform => ({ type: TransformType.ESN, id });
const ikeOffer = (...transforms: Transform[]): Proposal => ({ number: 1, protocol: Protocol.IKE, spi: EMPTY, transforms });
const espOffer = (...transforms: Transform[]): Proposal => ({ number: 1, protocol: Protocol.ESP, spi, transforms });

const plainIke = [encr(Encr.AES_GCM_16, 256), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)];
const plainEsp = [encr(Encr.AES_GCM_16, 256), esn(Esn.NO_ESN)];

const refuse = (error: unknown): boolean =>
  error instanceof ProtocolError && error.verdict === 'refuse' && error.notify === Notify.NO_PROPOSAL_CHOSEN;

const some = <T>(all: readonly T[]): fc.Arbitrary<T[]> => fc.shuffledSubarray([...all], { minLength: 1 });
const algorithms: fc.Arbitrary<Algorithms> = fc.record({
  encryption: some([GCM256, GCM128, CBC256, CHACHA, { id: Encr.AES_CBC, keyBits: 128 }]),
  integrity: some([Integ.HMAC_SHA2_256_128, Integ.HMAC_SHA2_384_192, Integ.HMAC_SHA2_512_256]),
  prf: some([Prf.HMAC_SHA2_256, Prf.HMAC_SHA2_384, Prf.HMAC_SHA2_512]),
  keyExchange: some([Ke.NONE, Ke.CURVE25519, Ke.ECP_256, Ke.ECP_384, Ke.MODP_2048]),
  additionalKeyExchange: fc.shuffledSubarray([Ke.ML_KEM_512, Ke.ML_KEM_768, Ke.ML_KEM_1024]),
});
const ikeAlgorithms = algorithms.filter(({ keyExchange }) => keyExchange.some((id) => id !== Ke.NONE));

describe('offers', () => {
  it('keeps AEADs and other ciphers in separate proposals, numbered from 1', () => {
    const [first, second, ...rest] = ikeProposals(ike);
    assert.equal(rest.length, 0);
    assert.deepEqual([first?.number, second?.number], [1, 2]);
    assert.deepEqual(first?.transforms, [
      encr(Encr.AES_GCM_16, 256),
      encr(Encr.AES_GCM_16, 128),
      encr(Encr.CHACHA20_POLY1305),
      ...[Prf.HMAC_SHA2_256, Prf.HMAC_SHA2_512].map(prf),
      ...[Ke.CURVE25519, Ke.ECP_256, Ke.MODP_2048].map(ke),
    ]);
    assert.deepEqual(
      second?.transforms.filter(({ type }) => type === TransformType.ENCR || type === TransformType.INTEG),
      [encr(Encr.AES_CBC, 256), integ(Integ.HMAC_SHA2_256_128), integ(Integ.HMAC_SHA2_512_256)],
    );
  });

  it('puts first the kind of cipher that is most wanted', () => {
    const [first] = ikeProposals({ ...ike, encryption: [CBC256, GCM256] });
    assert.deepEqual(first?.transforms[0], encr(Encr.AES_CBC, 256));
  });

  it('never offers no key exchange for an IKE SA, nor a cipher that lacks its integrity', () => {
    const offers = ikeProposals({ ...ike, integrity: [], keyExchange: [Ke.NONE, Ke.ECP_256] });
    assert.equal(offers.length, 1);
    assert.deepEqual(
      offers[0]?.transforms.filter(({ type }) => type === TransformType.KE),
      [ke(Ke.ECP_256)],
    );
  });

  it('offers both kinds of sequence numbers for ESP, and groups only with perfect forward secrecy', () => {
    for (const pfs of [true, false]) {
      for (const offer of espProposals(esp, spi, { pfs })) {
        assert.deepEqual(
          offer.transforms.filter(({ type }) => type === TransformType.ESN).map(({ id }) => id),
          [Esn.ESN, Esn.NO_ESN],
        );
        assert.equal(
          offer.transforms.some(({ type }) => type === TransformType.KE),
          pfs,
        );
        assert.deepEqual(offer.spi, spi);
      }
    }
  });
});

describe('choosing', () => {
  it('goes by our order, not by the order of the peer', () => {
    const theirs = [encr(Encr.AES_CBC, 256), encr(Encr.AES_GCM_16, 128), encr(Encr.AES_GCM_16, 256)];
    const offer = ikeOffer(...theirs, prf(Prf.HMAC_SHA2_512), prf(Prf.HMAC_SHA2_256), ke(Ke.MODP_2048), ke(Ke.CURVE25519));
    assert.deepEqual(chooseIke([offer], ike), {
      proposal: { ...offer, transforms: plainIke },
      suite: { encr: Encr.AES_GCM_16, keyBits: 256, integ: Integ.NONE, prf: Prf.HMAC_SHA2_256, ke: Ke.CURVE25519 },
      additional: [],
      peerSpi: '',
    });
  });

  it('looks for the best in all proposals and answers with the number of the one that it took', () => {
    const weaker = { ...ikeOffer(encr(Encr.AES_GCM_16, 128), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)), number: 1 };
    const slower = { ...ikeOffer(encr(Encr.AES_GCM_16, 256), prf(Prf.HMAC_SHA2_512), ke(Ke.CURVE25519)), number: 2 };
    const best = { ...ikeOffer(...plainIke), number: 3 };
    assert.equal(chooseIke([weaker, slower, best], ike)?.proposal.number, 3);
  });

  it('takes the group of the KE payload when both accept it, and lets it decide nothing else', () => {
    const offer = ikeOffer(encr(Encr.AES_GCM_16, 128), ...plainIke, ke(Ke.ECP_256), ke(Ke.ECP_521));
    assert.equal(chooseIke([offer], ike, Ke.ECP_256)?.suite.ke, Ke.ECP_256);
    assert.equal(chooseIke([offer], ike, Ke.ECP_521)?.suite.ke, Ke.CURVE25519, 'a group that we do not accept');
    assert.equal(chooseIke([offer], ike, Ke.MODP_2048)?.suite.ke, Ke.CURVE25519, 'a group that was not offered');
    const other = { ...ikeOffer(encr(Encr.AES_GCM_16, 128), prf(Prf.HMAC_SHA2_256), ke(Ke.ECP_256)), number: 2 };
    assert.equal(chooseIke([ikeOffer(...plainIke), other], ike, Ke.ECP_256)?.suite.keyBits, 256, 'encryption comes first');
  });

  it('demands the group that it chose, with its number', () => {
    const of = (group: number) => ({ kind: 'KE', group, data: new Uint8Array(64) }) as const;
    assert.deepEqual(demandKe(Ke.ECP_256, of(Ke.ECP_256)), of(Ke.ECP_256));
    for (const sent of [of(Ke.CURVE25519), undefined]) {
      assert.throws(() => demandKe(Ke.ECP_256, sent), {
        verdict: 'refuse',
        notify: Notify.INVALID_KE_PAYLOAD,
        data: unhex('0013'),
      });
    }
  });

  it('takes the SPI of an IKE SA that is being rekeyed', () => {
    const newSpi = unhex('8899aabbccddeeff');
    assert.equal(chooseIke([{ ...ikeOffer(...plainIke), spi: newSpi }], ike)?.peerSpi, '8899aabbccddeeff');
  });

  const refusedIke: Record<string, readonly Transform[]> = {
    'a proposal without a PRF': [encr(Encr.AES_GCM_16, 256), ke(Ke.CURVE25519)],
    'a proposal without a key exchange': [encr(Encr.AES_GCM_16, 256), prf(Prf.HMAC_SHA2_256)],
    'no key exchange for an IKE SA': [encr(Encr.AES_GCM_16, 256), prf(Prf.HMAC_SHA2_256), ke(Ke.NONE)],
    'CBC without integrity': [encr(Encr.AES_CBC, 256), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)],
    'CBC with no integrity': [encr(Encr.AES_CBC, 256), integ(Integ.NONE), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)],
    'an AEAD with integrity beside it': [...plainIke, integ(Integ.HMAC_SHA2_256_128)],
    'AES without a key length': [encr(Encr.AES_GCM_16), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)],
    'AES of another key length': [encr(Encr.AES_GCM_16, 192), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)],
    'ChaCha20 with a key length': [encr(Encr.CHACHA20_POLY1305, 256), prf(Prf.HMAC_SHA2_256), ke(Ke.CURVE25519)],
    'a transform with an attribute that we do not know': [
      { ...encr(Encr.AES_GCM_16, 256), unknownAttributes: unhex('800f0001') },
      prf(Prf.HMAC_SHA2_256),
      ke(Ke.CURVE25519),
    ],
    'a transform type that we do not know': [...plainIke, { type: 6, id: 36 }],
    'sequence numbers for an IKE SA': [...plainIke, esn(Esn.NO_ESN)],
  };
  for (const [what, transforms] of Object.entries(refusedIke)) {
    it(`refuses ${what}, but not the proposal beside it`, () => {
      assert.equal(chooseIke([ikeOffer(...transforms)], ike), undefined);
      assert.equal(chooseIke([ikeOffer(...transforms), { ...ikeOffer(...plainIke), number: 2 }], ike)?.proposal.number, 2);
    });
  }

  it('passes over a transform that it does not know for one of its type that it knows', () => {
    const odd = [encr(99, 256), prf(99), ke(99), { ...ke(Ke.CURVE25519), unknownAttributes: unhex('800f0001') }];
    assert.equal(chooseIke([ikeOffer(...odd, ...plainIke.slice(0, 2), ke(Ke.ECP_256))], ike)?.suite.ke, Ke.ECP_256);
  });

  it('answers NONE where the peer spelled it out', () => {
    const offer = ikeOffer(...plainIke, integ(Integ.NONE));
    assert.deepEqual(
      chooseIke([offer], ike)
        ?.proposal.transforms.map(({ type }) => type)
        .sort(),
      [1, 2, 3, 4],
    );
  });

  it('does not mix up IKE and ESP', () => {
    assert.equal(chooseIke([{ ...ikeOffer(...plainIke), protocol: Protocol.ESP }], ike), undefined);
    assert.equal(chooseEsp([{ ...espOffer(...plainEsp), protocol: Protocol.AH }], esp, { pfs: false }), undefined);
  });

  it('demands sequence numbers of ESP, and prefers extended ones', () => {
    assert.equal(chooseEsp([espOffer(encr(Encr.AES_GCM_16, 256))], esp, { pfs: false }), undefined);
    assert.equal(chooseEsp([espOffer(...plainEsp)], esp, { pfs: false })?.suite.esn, false);
    assert.equal(chooseEsp([espOffer(...plainEsp, esn(Esn.ESN))], esp, { pfs: false })?.suite.esn, true);
  });

  it('has no key exchange for a child in IKE_AUTH, whatever is configured', () => {
    assert.equal(chooseEsp([espOffer(...plainEsp)], esp, { pfs: false })?.suite.ke, Ke.NONE);
    assert.equal(chooseEsp([espOffer(...plainEsp, ke(Ke.CURVE25519))], esp, { pfs: false }), undefined);
    assert.equal(chooseEsp([espOffer(...plainEsp, ke(Ke.NONE))], esp, { pfs: false })?.suite.ke, Ke.NONE);
  });

  it('insists on perfect forward secrecy unless none is among our groups', () => {
    assert.equal(chooseEsp([espOffer(...plainEsp)], esp, { pfs: true }), undefined);
    assert.equal(chooseEsp([espOffer(...plainEsp, ke(Ke.ECP_256))], esp, { pfs: true })?.suite.ke, Ke.ECP_256);
    const lax = { ...esp, keyExchange: [Ke.CURVE25519, Ke.NONE] };
    assert.equal(chooseEsp([espOffer(...plainEsp)], lax, { pfs: true })?.suite.ke, Ke.NONE);
    assert.equal(chooseEsp([espOffer(...plainEsp, ke(Ke.NONE), ke(Ke.CURVE25519))], lax, { pfs: true })?.suite.ke, Ke.CURVE25519);
    assert.equal(chooseEsp([espOffer(...plainEsp)], { ...esp, keyExchange: [] }, { pfs: true })?.suite.ke, Ke.NONE);
  });

  it('refuses a reserved ESP SPI', () => {
    const reserved = { ...espOffer(...plainEsp), spi: unhex('000000ff') };
    assert.equal(chooseEsp([reserved], esp, { pfs: false }), undefined);
    assert.equal(chooseEsp([{ ...reserved, spi: unhex('fffffffe') }], esp, { pfs: false })?.peerSpi, 0xffff_fffe);
  });

  it('makes something or nothing of any offer, and what it makes is in the offer', () => {
    fc.assert(
      fc.property(payloadOf.SA, ikeAlgorithms, fc.option(fc.nat(40), { nil: undefined }), ({ proposals }, ours, preferredKe) => {
        const chosen = [
          chooseIke(proposals, ours, preferredKe)?.proposal,
          chooseEsp(proposals, ours, { pfs: true, preferredKe })?.proposal,
          chooseEsp(proposals, ours, { pfs: false })?.proposal,
        ];
        for (const proposal of chosen.filter((one) => one !== undefined)) {
          const from = proposals.find(({ number }) => number === proposal.number);
          assert.ok(proposal.transforms.every((one) => from?.transforms.includes(one)));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('both sides', () => {
  it('come to one IKE suite whenever they have an algorithm of each type in common', () => {
    fc.assert(
      fc.property(ikeAlgorithms, ikeAlgorithms, fc.constantFrom(EMPTY, unhex('0011223344556677')), (theirs, ours, newSpi) => {
        const offered = ikeProposals(theirs, { spi: newSpi });
        const chosen = chooseIke(offered, ours, theirs.keyExchange[0]);
        if (chosen === undefined) return assert.ok(!haveInCommon(theirs, ours));
        assert.ok(haveInCommon(theirs, ours));
        assert.deepEqual(acceptedIke([chosen.proposal], offered), { suite: chosen.suite, additional: chosen.additional });
        assert.deepEqual(acceptedIkeRekey([chosen.proposal], offered), omitProposal(chosen));
      }),
    );
  });

  it('come to one ESP suite', () => {
    fc.assert(
      fc.property(algorithms, algorithms, fc.boolean(), (theirs, ours, pfs) => {
        const offered = espProposals(theirs, spi, { pfs });
        const chosen = chooseEsp(offered, ours, { pfs });
        if (chosen === undefined) return;
        assert.equal(chosen.peerSpi, 0x00112233);
        const answer = [{ ...chosen.proposal, spi: unhex('80000001') }];
        assert.deepEqual(acceptedEsp(answer, offered), { ...omitProposal(chosen), peerSpi: 0x8000_0001 });
      }),
    );
  });

  const omitProposal = <T extends { proposal: Proposal }>({ proposal: _, ...rest }: T): Omit<T, 'proposal'> => rest;

  function haveInCommon(left: Algorithms, right: Algorithms): boolean {
    const both = <T>(a: readonly T[], b: readonly T[]): T[] => a.filter((one) => b.includes(one));
    const ciphers = both(left.encryption, right.encryption);
    const usable = ciphers.some(({ id }) => id !== Encr.AES_CBC || both(left.integrity, right.integrity).length > 0);
    return (
      usable && both(left.prf, right.prf).length > 0 && both(left.keyExchange, right.keyExchange).some((id) => id !== Ke.NONE)
    );
  }
});

describe('the answer to our offer', () => {
  const offered = ikeProposals(ike);
  const answer = { ...ikeOffer(...plainIke), number: 1 };

  it('is taken when it is one of the offers', () => assert.equal(acceptedIke([answer], offered).suite.ke, Ke.CURVE25519));

  const refused: Record<string, readonly Proposal[]> = {
    'no proposal': [],
    'two proposals': [answer, { ...answer, number: 2 }],
    'another number': [{ ...answer, number: 2 }],
    'a number that we did not offer': [{ ...answer, number: 3 }],
    'another protocol': [{ ...answer, protocol: Protocol.ESP }],
    'an SPI where there was none': [{ ...answer, spi: unhex('0011223344556677') }],
    'a transform that we did not offer': [{ ...answer, transforms: [...plainIke.slice(0, 2), ke(Ke.ECP_521)] }],
    'another key length': [{ ...answer, transforms: [encr(Encr.AES_GCM_16, 192), ...plainIke.slice(1)] }],
    'two transforms of a type': [{ ...answer, transforms: [...plainIke, ke(Ke.ECP_256)] }],
    'a type left out': [{ ...answer, transforms: plainIke.slice(0, 2) }],
    'a type that we did not offer': [{ ...answer, transforms: [...plainIke, integ(Integ.NONE)] }],
    'an attribute that we did not send': [
      { ...answer, transforms: [...plainIke.slice(0, 2), { ...ke(Ke.CURVE25519), unknownAttributes: unhex('800f0001') }] },
    ],
  };
  for (const [what, proposals] of Object.entries(refused)) {
    it(`is refused with ${what}`, () => assert.throws(() => acceptedIke(proposals, offered), refuse));
  }

  it('may leave out the key exchange of a child where we offered none', () => {
    const lax = espProposals({ ...esp, keyExchange: [Ke.CURVE25519, Ke.NONE] }, spi, { pfs: true });
    assert.equal(acceptedEsp([espOffer(...plainEsp)], lax).suite.ke, Ke.NONE);
    assert.throws(() => acceptedEsp([espOffer(...plainEsp)], espProposals(esp, spi, { pfs: true })), refuse);
  });

  it('must name the sequence numbers of a child', () => {
    const offers = espProposals(esp, spi, { pfs: false });
    assert.throws(() => acceptedEsp([espOffer(encr(Encr.AES_GCM_16, 256))], offers), refuse);
  });

  it('is refused with a reserved ESP SPI', () => {
    const offers = espProposals(esp, spi, { pfs: false });
    assert.throws(() => acceptedEsp([{ ...espOffer(...plainEsp), spi: unhex('00000001') }], offers), refuse);
  });
});
