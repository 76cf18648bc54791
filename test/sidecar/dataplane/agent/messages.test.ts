/** The codec between sidecar and agent: what is written is read back; whatever else arrives is refused by name, and nothing else happens. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { MAX_FRAME_BYTES, type ToAgent } from '../../../../sidecar/contract/agent-protocol.ts';
import { FrameReader } from '../../../../sidecar/dataplane/agent/frame-reader.ts';
import {
  decodeFromAgent,
  decodeToAgent,
  encodeFromAgent,
  encodeToAgent,
  LENGTH_BYTES,
  NoMessage,
} from '../../../../sidecar/dataplane/agent/messages.ts';
import { type Bytes, concat } from '../../../../sidecar/ike/wire/bytes.ts';
import { encodeCbor, type Plain } from '../../../../sidecar/ike/wire/cbor.ts';
import * as agentMessages from '../../../fuzz/agent-messages.ts';
import { fromAgent, toAgent } from '../../../harness/arbitrary-agent-message.ts';
import { ends } from '../children.ts';

const body = (frame: Bytes): Bytes => frame.subarray(LENGTH_BYTES);

describe('messages between sidecar and agent', () => {
  it('come back as they were written', () => {
    fc.assert(fc.property(toAgent, (message) => assert.deepEqual(decodeToAgent(body(encodeToAgent(message))), message)));
    fc.assert(fc.property(fromAgent, (message) => assert.deepEqual(decodeFromAgent(body(encodeFromAgent(message))), message)));
  });

  it('are refused or read, whatever the bytes', () => {
    fc.assert(agentMessages.messages(), { numRuns: 300 });
  });

  it('are refused or read, whatever stands in a field', () => {
    fc.assert(agentMessages.fields(), { numRuns: 1_000 });
  });

  it('are refused with the field that is wrong', () => {
    const cases: readonly (readonly [Plain, RegExp])[] = [
      [7, /^message: not a mapping: a number; /],
      [new Uint8Array(3), /^message: not a mapping: bytes; /],
      [{}, /^message: type: unknown; send one of hello, tun, sync, orders, settle$/],
      [{ type: 'constructor' }, /^message: type: unknown; /],
      [{ type: 'settle' }, /^message: id: missing; /],
      [{ type: 'settle', id: -1 }, /^message: id: not a whole number between 0 and /],
      [{ type: 'settle', id: 1, more: 1 }, /^message: more: unknown field; /],
      [{ type: 'hello', protocol: 1, incarnation: new Uint8Array(15) }, /^message: incarnation: 15 bytes; send 16 to 16$/],
      [{ type: 'orders', id: 1, orders: new Uint8Array(1) }, /^message: orders: not a list: bytes; /],
      [{ type: 'orders', id: 1, orders: [{ order: 'remove', spiIn: 255 }] }, /^message: orders\[0\]\.spiIn: not a whole number/],
      [{ type: 'orders', id: 1, orders: Array(257).fill(0) }, /^message: orders: 257 items; list at most 256$/],
      [
        { type: 'sync', id: 1, last: true, children: [{ order: 'install', child: { ...gateway(), local: [selector(3)] } }] },
        /^message: children\[0\]\.child\.local\[0\]\.start: 3 bytes; send 4 to 16$/,
      ],
      [
        { type: 'sync', id: 1, last: true, children: [{ order: 'install', child: { ...gateway(), local: [selector(5)] } }] },
        /^message: children\[0\]\.child\.local\[0\]\.start: 5 bytes; send 4 or 16$/,
      ],
    ];
    for (const [value, expected] of cases) {
      assert.throws(
        () => decodeToAgent(encodeCbor(value as never)),
        (error) => error instanceof NoMessage && expected.test(error.message),
        inspect(value),
      );
    }
  });

  it('repeat no key when they are refused', () => {
    const child = { ...gateway(), keyIn: { encr: new Uint8Array(36).fill(0x4b), integ: 'KKKKKKKK' }, keyOut: 'KKKKKKKK' };
    const message = encodeCbor({ type: 'orders', id: 1, orders: [{ order: 'install', child }] } as never);
    assert.throws(
      () => decodeToAgent(message),
      (error) => error instanceof NoMessage && !/KKKK|4b4b|75, 75/.test(inspect(error)),
    );
  });

  it('are refused when they would be longer than a frame', () => {
    const peer = { idType: 11, data: new Uint8Array(0xffff) };
    const children = Array.from({ length: 32 }, () => ({ order: 'install', child: { ...ends(0x1000).gateway, peer } }) as const);
    assert.throws(() => encodeToAgent({ type: 'sync', id: 1, children, last: true }), RangeError);
  });
});

describe('frames', () => {
  it('are found however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(toAgent, { maxLength: 4 }), fc.array(fc.integer({ min: 1, max: 50 })), (messages, cuts) => {
        const reader = new FrameReader();
        const read: ToAgent[] = [];
        for (const chunk of pieces(concat(...messages.map(encodeToAgent)), cuts))
          for (const one of reader.read(chunk)) read.push(decodeToAgent(one));
        assert.deepEqual(read, messages);
        assert.equal(reader.midway, undefined);
      }),
    );
  });

  it('say when one has begun and not ended', () => {
    const reader = new FrameReader();
    const frame = encodeToAgent({ type: 'settle', id: 1 });
    for (const byte of frame.subarray(0, -1)) {
      assert.deepEqual([...reader.read(Uint8Array.of(byte))], []);
      assert.equal(reader.midway, 0);
    }
    assert.equal([...reader.read(frame.subarray(-1))].length, 1);
    assert.equal(reader.midway, undefined);
  });

  it('of nothing, or longer than the limit, are none', () => {
    const header = (length: number): Bytes => new Uint8Array(new Uint32Array([length]).buffer).reverse();
    for (const length of [0, MAX_FRAME_BYTES + 1, 0xffff_ffff])
      assert.throws(() => [...new FrameReader().read(header(length))], /^NoMessage: frame: \d+ bytes; send 1 to 1048576 in one$/);
    assert.deepEqual([...new FrameReader().read(header(MAX_FRAME_BYTES))], []);
  });
});

const gateway = (): { readonly [key: string]: Plain } => ({ ...ends(0x1000).gateway }) as never;
const selector = (length: number): Plain => ({
  ...{ protocol: 0, startPort: 0, endPort: 65_535 },
  ...{ start: new Uint8Array(length), end: new Uint8Array(length) },
});

function* pieces(bytes: Bytes, cuts: readonly number[]): Generator<Bytes> {
  let at = 0;
  for (const cut of cuts) {
    yield bytes.subarray(at, at + cut);
    at += cut;
  }
  yield bytes.subarray(at);
}
