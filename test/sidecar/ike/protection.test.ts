/** The Encrypted payload (RFC 7296 §3.14, RFC 5282), sealed and opened. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ikeKeys } from '../../../sidecar/ike/crypto/keymat.ts';
import type { IkeSuite } from '../../../sidecar/ike/crypto/suite.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { open, type SecuredSa, seal } from '../../../sidecar/ike/protection.ts';
import { NEVER } from '../../../sidecar/ike/sa.ts';
import { newWindow } from '../../../sidecar/ike/window.ts';
import { type Bytes, concat, EMPTY, hex, Reader } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, type Header } from '../../../sidecar/ike/wire/message.ts';
import { decodePayloads, notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Encr, Exchange, Integ, Ke, Notify, Prf } from '../../../sidecar/ike/wire/registry.ts';
import { crypto } from '../../harness/peer.ts';
import { seeded } from '../../harness/random.ts';

const [SPI_I, SPI_R] = ['0101010101010101', '0202020202020202'];
const base = { prf: Prf.HMAC_SHA2_256, ke: Ke.CURVE25519 };
const suites: Readonly<Record<string, IkeSuite>> = {
  'AES-GCM-256': { ...base, encr: Encr.AES_GCM_16, keyBits: 256, integ: 0 },
  'AES-GCM-128': { ...base, encr: Encr.AES_GCM_16, keyBits: 128, integ: 0 },
  'ChaCha20-Poly1305': { ...base, encr: Encr.CHACHA20_POLY1305, keyBits: 0, integ: 0 },
  'AES-CBC-256 with SHA-256': { ...base, encr: Encr.AES_CBC, keyBits: 256, integ: Integ.HMAC_SHA2_256_128 },
  'AES-CBC-128 with SHA-512': { ...base, encr: Encr.AES_CBC, keyBits: 128, integ: Integ.HMAC_SHA2_512_256 },
};

function sides(suite: IkeSuite): { initiator: SecuredSa; responder: SecuredSa } {
  const seed = {
    from: 'full',
    shared: new Uint8Array(32),
    ni: new Uint8Array(32),
    nr: new Uint8Array(32),
    spiI: SPI_I,
    spiR: SPI_R,
  } as const;
  const keys = ikeKeys(crypto, suite, seed);
  const side = (role: SecuredSa['role']): SecuredSa => ({
    ...{ role, spiI: SPI_I, spiR: SPI_R, path: { local: '', remote: '' }, window: newWindow(), connection: undefined },
    phase: { name: 'gone', suite, keys, nat: { local: false, remote: false }, fragmentation: false, proven: true, until: NEVER },
  });
  return { initiator: side('initiator'), responder: side('responder') };
}

const header = (part: Partial<Header> = {}): Header => ({
  ...{ spiI: SPI_I, spiR: SPI_R, exchange: Exchange.INFORMATIONAL, messageId: 7, response: false, initiator: true, ...part },
});
const ctx = { crypto, random: seeded(1) };
const say = (sa: SecuredSa, payloads: readonly Payload[], part: Partial<Header> = {}): Bytes =>
  seal(sa, header({ initiator: sa.role === 'initiator', ...part }), payloads, 60_000, ctx)[0] ?? EMPTY;
function hear(sa: SecuredSa, datagram: Bytes): Payload[] {
  const { encrypted } = decodeMessage(datagram);
  if (!encrypted) throw new Error('not sealed');
  return decodePayloads(encrypted.first, new Reader(open(sa, encrypted, ctx)));
}
const silent = (error: unknown): boolean => error instanceof ProtocolError && error.verdict === 'drop';

for (const [name, suite] of Object.entries(suites))
  describe(`the encrypted payload with ${name}`, () => {
    const { initiator, responder } = sides(suite);

    it('is read by the other side, whatever is in it', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
          const payloads = [notify(Notify.COOKIE, data), { kind: 'V', data } as const];
          assert.deepEqual(hear(responder, say(initiator, payloads)), payloads);
          assert.deepEqual(hear(initiator, say(responder, payloads)), payloads);
        }),
        { numRuns: 30 },
      );
      assert.deepEqual(hear(responder, say(initiator, [])), []);
    });

    it('is not read by the side that sealed it, nor with other keys', () => {
      assert.throws(() => hear(initiator, say(initiator, [])), silent);
      const { responder: other } = sides({ ...suite, prf: Prf.HMAC_SHA2_384 });
      assert.throws(() => hear(other, say(initiator, [])), silent);
    });

    it('vouches for every bit of the message, header included', () => {
      const datagram = say(initiator, [notify(Notify.COOKIE, Uint8Array.of(1, 2, 3))]);
      for (let at = 0; at < datagram.length; at++) {
        const forged = datagram.map((byte, index) => (index === at ? byte ^ 0x04 : byte));
        assert.throws(
          () => hear(responder, forged),
          (error) => error instanceof ProtocolError,
          `byte ${at}`,
        );
      }
    });

    it('is refused when it is cut short, at any place', () => {
      const datagram = say(initiator, []);
      const length = 28 + 4;
      for (let end = length; end < datagram.length; end++) {
        const cut = datagram.slice(0, end);
        const view = new DataView(cut.buffer);
        view.setUint32(24, end);
        view.setUint16(30, end - 28);
        assert.throws(() => hear(responder, cut), silent, `${end} bytes`);
      }
    });

    it('never has an initialization vector twice under one key', () => {
      const ivLength = crypto.encryption(suite.encr, suite.keyBits)?.ivLength ?? 0;
      const ivs = [0, 1, 2].flatMap((messageId) =>
        [false, true].map((response) => hex(say(initiator, [], { messageId, response }).subarray(32, 32 + ivLength))),
      );
      assert.equal(new Set(ivs).size, ivs.length);
    });
  });

describe('padding', () => {
  it('of the peer may be of any value and length', () => {
    const suite = suites['AES-GCM-256'] ?? assert.fail();
    const { responder } = sides(suite);
    const encryption = crypto.encryption(suite.encr, suite.keyBits) ?? assert.fail();
    const sealed = (plaintext: Bytes) => {
      const aad = Uint8Array.of(1, 2, 3);
      const iv = new Uint8Array(8);
      return {
        first: 0,
        fragment: undefined,
        aad,
        body: concat(iv, encryption.seal(responder.phase.keys.ei, iv, plaintext, aad)),
      };
    };
    assert.deepEqual(open(responder, sealed(Uint8Array.of(9, 9, 7, 7, 7, 3)), ctx), Uint8Array.of(9, 9));
    assert.deepEqual(open(responder, sealed(Uint8Array.of(9, 0)), ctx), Uint8Array.of(9));
    assert.throws(() => open(responder, sealed(Uint8Array.of(9, 2)), ctx), silent, 'longer than what there is');
    assert.throws(() => open(responder, sealed(EMPTY), ctx), silent, 'no length');
  });

  it('fills whole blocks with CBC', () => {
    const { initiator } = sides(suites['AES-CBC-256 with SHA-256'] ?? assert.fail());
    for (let length = 0; length < 20; length++)
      assert.equal((say(initiator, [{ kind: 'V', data: new Uint8Array(length + 1) }]).length - 32 - 16 - 16) % 16, 0);
  });
});
