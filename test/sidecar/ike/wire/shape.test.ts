import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { notify, type Payload, type PayloadOf } from '../../../../sidecar/ike/wire/payload.ts';
import { Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { shape } from '../../../../sidecar/ike/wire/shape.ts';
import { payload } from '../../../harness/arbitrary-payload.ts';
import { assertMalformed } from './golden.ts';

const nonce: Payload = { kind: 'NONCE', data: new Uint8Array(16) };
const ke: Payload = { kind: 'KE', group: 31, data: new Uint8Array(32) };
const cookie = notify(Notify.COOKIE);
const ticketRequest = notify(Notify.TICKET_REQUEST);

const grammar = shape({ nonce: 'NONCE', ke: 'KE?', notifies: 'N*' });

it('puts each payload into the field that its kind has, in any order', () => {
  assert.deepEqual(grammar([cookie, ke, ticketRequest, nonce]), { nonce, ke, notifies: [cookie, ticketRequest] });
});

it('types each field by its slot', () => {
  const filled: {
    readonly nonce: PayloadOf<'NONCE'>;
    readonly ke: PayloadOf<'KE'> | undefined;
    readonly notifies: readonly PayloadOf<'N'>[];
  } = grammar([nonce]);
  assert.deepEqual(filled, { nonce, ke: undefined, notifies: [] });
});

it('refuses a message that lacks a payload', () => {
  assertMalformed(() => grammar([ke]), /no NONCE payload/);
});

it('refuses a message that says twice what may be said once', () => {
  assertMalformed(() => grammar([nonce, nonce]), /more than one NONCE payload/);
  assertMalformed(() => grammar([nonce, ke, { ...ke }]), /more than one KE payload/);
});

it('ignores payloads that the grammar does not name', () => {
  fc.assert(
    fc.property(fc.array(payload), (payloads) => {
      const others = payloads.filter(({ kind }) => kind !== 'NONCE' && kind !== 'KE' && kind !== 'N');
      assert.deepEqual(grammar([...others, nonce, ...others]), { nonce, ke: undefined, notifies: [] });
    }),
  );
});
