/** Messages of real peers as they went over the wire, and ours to them: everything opens and is understood. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeMessage } from '../../../sidecar/ike/wire/message.ts';
import { Exchange } from '../../../sidecar/ike/wire/registry.ts';
import * as fuzz from '../../fuzz/captures.ts';
import * as certificates from '../../fuzz/certificates.ts';
import { captures, opened } from '../../harness/captures.ts';

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
