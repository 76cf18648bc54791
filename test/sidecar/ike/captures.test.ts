/** Messages of real peers as they went over the wire, and ours to them: everything opens and is understood. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { libreswanResumptionAuth } from '../../../sidecar/ike/auth.ts';
import { EMPTY, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage } from '../../../sidecar/ike/wire/message.ts';
import { Exchange } from '../../../sidecar/ike/wire/registry.ts';
import * as fuzz from '../../fuzz/captures.ts';
import * as certificates from '../../fuzz/certificates.ts';
import { captures, opened } from '../../harness/captures.ts';
import { crypto } from '../../harness/peer.ts';

for (const capture of captures())
  describe(`the capture ${capture.name}`, () => {
    it('opens, message by message', () => {
      const said = opened(capture);
      assert.ok(said.some(({ message }) => message.exchange === Exchange.IKE_AUTH));
      assert.ok(said.every(({ payloads, message }) => payloads.length > 0 || message.exchange === Exchange.INFORMATIONAL));
    });

    it('answers requests only: for each response there was one with its number and exchange, from the other side', () => {
      const said = opened(capture);
      for (const [index, { from, message }] of said.entries()) {
        if (!message.response) continue;
        const asked = said.slice(0, index).some((before) => {
          const { response, messageId, exchange, spiI } = before.message;
          return (
            !response &&
            messageId === message.messageId &&
            exchange === message.exchange &&
            spiI === message.spiI &&
            before.from !== from
          );
        });
        assert.ok(asked, `${from} answered ${message.exchange} number ${message.messageId} unasked`);
      }
    });

    it('does not open when a bit of it is another one', () => {
      const datagrams = capture.datagrams.map((datagram) => {
        if (!decodeMessage(datagram.bytes).encrypted) return datagram;
        const bytes = datagram.bytes.slice();
        const last = bytes.length - 1;
        bytes[last] = (bytes[last] ?? 0) ^ 1;
        return { ...datagram, bytes };
      });
      assert.throws(() => opened({ ...capture, datagrams }), /no key opens/);
    });
  });

describe('the captures together', () => {
  it('hold every exchange and every kind of payload', () => {
    const all = captures().flatMap(opened);
    assert.deepEqual([...new Set(all.map(({ message }) => message.exchange))].sort(), Object.values(Exchange).sort());
    const kinds = new Set(all.flatMap(({ payloads }) => payloads.map(({ kind }) => kind)));
    for (const kind of [
      'SA',
      'KE',
      'NONCE',
      'IDi',
      'IDr',
      'CERT',
      'CERTREQ',
      'AUTH',
      'EAP',
      'N',
      'D',
      'V',
      'TSi',
      'TSr',
      'CP',
    ] as const)
      assert.ok(kinds.has(kind), kind);
  });

  it('show the form of AUTH that libreswan has after a resumption, from both sides', () => {
    const capture = captures().find(({ name }) => name === 'libreswan-32-client-resume');
    assert.ok(capture);
    let proofs = 0;
    for (const { message, payloads, from } of opened(capture)) {
      const auth = payloads.find((one) => one.kind === 'AUTH');
      const sa = capture.sas.find(({ spiI, spiR }) => spiI === message.spiI && spiR === message.spiR);
      const [initiator, responder] = capture.datagrams
        .map(({ bytes }) => bytes)
        .filter((bytes) => isResumption(bytes, message.spiI));
      if (!auth || !sa || !initiator || !responder) continue;
      const first = { initiator, responder, ni: EMPTY, nr: EMPTY };
      const expected: Uint8Array = libreswanResumptionAuth({ ...sa, first }, from, { crypto });
      assert.equal(hex(auth.data), hex(expected));
      proofs++;
    }
    assert.equal(proofs, 4);
  });
});

function isResumption(bytes: Uint8Array, spiI: string): boolean {
  const message = decodeMessage(bytes);
  return message.exchange === Exchange.IKE_SESSION_RESUME && message.spiI === spiI;
}

describe('what real peers say, with something wrong in it,', () => {
  const SEED = 7383;

  it('is read or refused, in clear and opened', () => {
    fc.assert(fuzz.datagrams(), { seed: SEED, numRuns: 2_000 });
    fc.assert(fuzz.payloads(), { seed: SEED, numRuns: 500 });
  });

  it('moves no SA to where it must not be, in any phase of either side, and nothing of it stays', () => {
    fc.assert(fuzz.said(), { seed: SEED, numRuns: 400 });
  });

  it('has certificates that are read or refused; changed ones are trusted by nobody', () => {
    fc.assert(certificates.reading(), { seed: SEED, numRuns: 1_000 });
    fc.assert(certificates.judging(), { seed: SEED, numRuns: 200 });
  });
});
