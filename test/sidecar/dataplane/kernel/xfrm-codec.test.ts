import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  endingOf,
  type Message,
  type Request,
} from '../../../../sidecar/dataplane/kernel/netlink-message.ts';
import { algorithmAttributes, hasAlgorithms } from '../../../../sidecar/dataplane/kernel/xfrm-algorithms.ts';
import { decodeEvent } from '../../../../sidecar/dataplane/kernel/xfrm-event.ts';
import { decodePolicy, deletePolicy, newPolicy, updatePolicy } from '../../../../sidecar/dataplane/kernel/xfrm-policy.ts';
import {
  decodeState,
  deleteState,
  getState,
  newState,
  updateState,
  type XfrmState,
} from '../../../../sidecar/dataplane/kernel/xfrm-state.ts';
import {
  AF_INET,
  AF_INET6,
  ANY_PACKET,
  ANY_PORT,
  NO_LIMITS,
  type XfrmSelector,
} from '../../../../sidecar/dataplane/kernel/xfrm-structures.ts';
import { parseAddress } from '../../../../sidecar/ike/ip-address.ts';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';

interface Recorded {
  readonly command: string;
  readonly type: number;
  readonly body: string;
}

const vectors = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../vectors/xfrm/${name}.json`, import.meta.url), 'utf8'));
const iproute2: Readonly<Record<string, Recorded>> = vectors('iproute2').messages;
const kernel: Readonly<Record<string, string>> = vectors('kernel');

const SRCADDR = 13;
const REPLAY_ESN_VAL = 23;
const counting = (length: number) => Uint8Array.from({ length }, (_, at) => at);
const gateway = parseAddress('192.0.2.1');
const peer = parseAddress('198.51.100.7');
const prefix = (address: string, length: number) => ({ address: parseAddress(address), length });
const any4: XfrmSelector = { ...ANY_PACKET, family: AF_INET, source: prefix('0.0.0.0', 0), destination: prefix('0.0.0.0', 0) };

const gcm: XfrmState = {
  spi: 0xc0ffee01,
  source: gateway,
  destination: peer,
  reqid: 0x5200_0001,
  mark: 7,
  suite: { encr: 20, keyBits: 256, integ: 0, esn: true },
  keys: { encr: counting(36), integ: counting(0) },
  selector: any4,
  encapsulation: { sourcePort: 4500, destinationPort: 14500 },
  sequences: { sent: 2 * 2 ** 32 + 2 ** 20 + 1, received: 0 },
  limits: { ...NO_LIMITS, softBytes: 900, hardBytes: 1000 },
  receives: false,
};
const cbc: XfrmState = {
  ...gcm,
  spi: 0x100,
  source: parseAddress('2001:db8::1'),
  destination: parseAddress('2001:db8::2'),
  reqid: 0x5200_0002,
  mark: 0,
  suite: { encr: 12, keyBits: 128, integ: 12, esn: false },
  keys: { encr: counting(16), integ: counting(32) },
  selector: {
    family: AF_INET,
    source: prefix('10.8.0.7', 32),
    destination: prefix('10.9.0.0', 24),
    protocol: 17,
    sourcePort: { port: 53, mask: 0xffff },
    destinationPort: ANY_PORT,
  },
  encapsulation: undefined,
  sequences: { sent: 0, received: 0 },
  limits: { ...NO_LIMITS, softPackets: 3_865_470_565 },
};
const chacha: XfrmState = {
  ...gcm,
  spi: 0xc0ffee02,
  mark: 0,
  suite: { encr: 28, keyBits: 0, integ: 0, esn: false },
  selector: ANY_PACKET,
  encapsulation: undefined,
  sequences: { sent: 0, received: 0 },
  limits: NO_LIMITS,
};
const out = {
  direction: 'out',
  selector: { ...any4, destination: prefix('10.8.0.7', 32) },
  mark: 7,
  priority: 1_048_576,
  template: { reqid: 0x5200_0001, through: { source: gateway, destination: peer, spi: 0xc0ffee01 } },
} as const;
const fwd = {
  direction: 'fwd',
  selector: {
    family: AF_INET6,
    source: prefix('2001:db8:8::', 48),
    destination: prefix('::', 0),
    protocol: 6,
    sourcePort: { port: 443, mask: 0xffff },
    destinationPort: ANY_PORT,
  },
  mark: 0,
  priority: 5,
  template: { reqid: 0x5200_0001 },
} as const;

const encoded: Readonly<Record<string, Request>> = {
  'state-add-gcm': newState(gcm),
  'state-add-cbc': newState(cbc),
  'state-add-chacha': updateState(chacha),
  'state-delete': deleteState(gcm, 7),
  'state-get': getState(cbc, 0),
  'policy-add-out': newPolicy(out),
  'policy-update-fwd': updatePolicy(fwd),
  'policy-delete': deletePolicy({ direction: 'in', selector: { ...any4, source: prefix('10.8.0.7', 32) }, mark: 7 }),
};

describe('the codec of XFRM', () => {
  for (const [name, { command, type, body }] of Object.entries(iproute2)) {
    it(`writes what iproute2 does for: ${command.replace(/0x[0-9a-f]{16,}/g, 'KEY')}`, () => {
      const request = encoded[name];
      assert.ok(request);
      assert.equal(request.type, type);
      assert.deepEqual(parts(bodyOf(request), request.fixed.length), parts(unhex(body), request.fixed.length));
    });
  }

  it('reads what the kernel has of a state', () => {
    const state = decodeState(message(0x10, kernel['stateOut']));
    assert.ok(state?.attributes);
    const { attributes, selector, ...rest } = state;
    assert.deepEqual(rest, {
      destination: parseAddress('192.0.2.2'),
      spi: 0x6000,
      protocol: 50,
      source: gateway,
      reqid: 0x5200_0000,
      mark: 0,
      esn: true,
      encapsulation: { sourcePort: 14500, destinationPort: 4500 },
      used: { bytes: 18 * 84, packets: 18 },
      sequences: { sent: 18, received: 0 },
    });
    assert.equal(selector.family, ANY_PACKET.family);
    const keys = { encr: Uint8Array.from({ length: 36 }, (_, at) => (at * 7 + 0x6000 * 31 + 1) & 0xff), integ: counting(0) };
    assert.ok(hasAlgorithms(attributes, algorithmAttributes({ encr: 20, keyBits: 256, integ: 0, esn: true }, keys)));
    keys.encr[35] = 0;
    assert.ok(!hasAlgorithms(attributes, algorithmAttributes({ encr: 20, keyBits: 256, integ: 0, esn: true }, keys)));
  });

  it('reads what the kernel has of policies', () => {
    assert.deepEqual(decodePolicy(message(0x13, kernel['policyOut']))?.template, {
      reqid: 0x5200_0000,
      through: { source: gateway, destination: parseAddress('192.0.2.2'), spi: 0x6000 },
    });
    const inbound = decodePolicy(message(0x13, kernel['policyIn']));
    assert.deepEqual(inbound, {
      direction: 'in',
      selector: { ...any4, source: prefix('10.9.0.1', 32), destination: prefix('10.8.0.7', 32) },
      mark: 0,
      priority: 1_048_582,
      template: { reqid: 0x5200_0000 },
    });
  });

  it('reads how far a state has come', () => {
    const id = { destination: parseAddress('192.0.2.2'), spi: 0x6000 };
    assert.deepEqual(decodeEvent(message(0x1e, kernel['progressIn'])), {
      event: 'progress',
      id,
      sequences: { sent: 0, received: 17 },
      used: { bytes: 17 * 84, packets: 17 },
    });
  });

  it('reads that a limit is near, and where a peer is seen', () => {
    const id = { destination: parseAddress('192.0.2.2'), spi: 0x6000 };
    assert.deepEqual(decodeEvent(message(0x18, kernel['expire'])), {
      event: 'expired',
      id,
      hard: false,
      used: { bytes: 17 * 84, packets: 17 },
    });
    assert.deepEqual(decodeEvent(message(0x26, kernel['mapping'])), { event: 'moved', id, address: gateway, port: 14500 });
  });

  it('refuses a key of another size without telling it', () => {
    assert.throws(
      () => newState({ ...gcm, keys: { encr: counting(35), integ: counting(0) } }),
      /a key of 35 bytes where 36 are wanted/,
    );
  });
});

describe('netlink messages', () => {
  it('come out as they went in', () => {
    const request = newPolicy(fwd);
    const [one, two, ...more] = decodeMessages(Uint8Array.from([...encodeMessage(request, 1), ...encodeMessage(request, 2)]));
    assert.deepEqual([one?.sequence, two?.sequence, more.length], [1, 2, 0]);
    assert.deepEqual(decodePolicy({ ...(two as Message) }), fwd);
  });

  it('that are cut off are left out, and attributes, too', () => {
    const bytes = encodeMessage(newPolicy(fwd), 1);
    for (let length = 0; length < bytes.length; length++) assert.deepEqual(decodeMessages(bytes.subarray(0, length)), []);
    const attributes = bytes.subarray(16 + 168);
    for (let length = 0; length < attributes.length; length++)
      assert.equal(decodeAttributes(attributes.subarray(0, length)).size, 0);
  });

  it('end with an error in the words of the kernel', () => {
    const text = new TextEncoder().encode('Requested AEAD algorithm not found\0');
    const ended = encodeMessage({ type: 2, flags: 0x300, fixed: new Uint8Array(20), attributes: [{ type: 1, value: text }] }, 9);
    new DataView(ended.buffer).setInt32(16, -38, true);
    const [error] = decodeMessages(ended);
    assert.deepEqual(error && endingOf(error), { errno: 38, text: 'Requested AEAD algorithm not found' });
  });
});

const message = (type: number, body = ''): Message => ({ type, flags: 0, sequence: 0, body: unhex(body) });
const bodyOf = (request: Request) => encodeMessage(request, 1).subarray(16);

/** The order of attributes says nothing, an empty window need not be sent, and a source is not looked at where there is an SPI. */
function parts(body: Uint8Array, fixed: number) {
  const attributes = [...decodeAttributes(body.subarray((fixed + 3) & ~3))].map(
    ([type, value]) => [type, hex(value).replace(type === REPLAY_ESN_VAL ? /(0{8})+$/ : /$^/, '')] as const,
  );
  return {
    fixed: hex(body.subarray(0, fixed)),
    attributes: attributes.filter(([type]) => type !== SRCADDR).toSorted(([a], [b]) => a - b),
  };
}
