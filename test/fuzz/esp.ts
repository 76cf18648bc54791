/** What arrives as ESP: nothing but what the peer sealed is delivered, and that once (RFC 4303 §3.4). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Bytes, hex } from '../../sidecar/ike/wire/bytes.ts';
import { mangled } from '../harness/laws/mangled.ts';
import { seeded } from '../harness/random.ts';
import { crypto, ends, gatewayPath, ping, suites } from '../sidecar/dataplane/children.ts';
import { type PlaneKind, type PlaneUnderTest, planeKinds } from '../sidecar/dataplane/in-place-dataplane.ts';

class Station {
  readonly sent: Bytes[] = [];
  readonly delivered: Bytes[] = [];
  readonly dataplane: PlaneUnderTest;

  constructor({ create }: PlaneKind) {
    this.dataplane = create({
      ...{ crypto, random: seeded(4), ownAddresses: [], lifetimeBytes: 0, forward: false },
      send: (packet) => this.sent.push(packet),
      deliver: (inner) => this.delivered.push(inner),
    });
  }
}

const pairs = suites.map((suite, index) => ends(0x1000 * (index + 1), { suite }));

/** Packets of every suite, with the inner packet of each. */
function sealed(kind: PlaneKind): { readonly packets: readonly Bytes[]; readonly pings: readonly Bytes[] } {
  const client = new Station(kind);
  const pings = pairs.map((pair, index) => {
    client.dataplane.order({ order: 'install', child: pair.client });
    const inner = ping('10.8.0.7', '10.9.0.1', index + 1);
    client.dataplane.transmit(inner);
    client.dataplane.order({ order: 'remove', spiIn: pair.client.spiIn });
    return inner;
  });
  return { packets: client.sent, pings };
}

/** To each way that we have of working on them. */
export const packets = () => {
  const kinds = planeKinds.map((kind) => ({ kind, honest: sealed(kind) }));
  const [first] = kinds;
  assert(first);
  return fc.property(fc.array(mangled(first.honest.packets), { minLength: 1, maxLength: 8 }), (all) => {
    for (const { kind } of kinds) {
      kind.forget();
      const gateway = new Station(kind);
      for (const { gateway: child } of pairs) gateway.dataplane.order({ order: 'install', child });
      for (const { bytes } of all) gateway.dataplane.receive(bytes, gatewayPath);
      const whole = new Set(all.filter(({ bytes, honest: one }) => hex(bytes) === hex(one)).map(({ bytes }) => hex(bytes)));
      assert(gateway.delivered.length <= whole.size, 'a changed or repeated packet is delivered');
      for (const inner of gateway.delivered) assert(first.honest.pings.some((one) => hex(one) === hex(inner)));
      gateway.dataplane.close();
    }
  });
};
