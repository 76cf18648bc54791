/** Somebody between a client and a gateway takes out of IKE_SA_INIT what keeps quantum computers away: AUTH covers it, so no session comes of that. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, encodeMessage } from '../../../sidecar/ike/wire/message.ts';
import type { Payload, Proposal } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, TransformType } from '../../../sidecar/ike/wire/registry.ts';
import { type Change, same, withoutNotify } from '../../harness/handshake.ts';
import { AEAD, config, connection } from '../../harness/policy.ts';
import { clientOf, gatewayOf, type Sent, type Subject } from '../../harness/subject.ts';

const SECRET = utf8('32 bytes that only two should know');
const algorithms = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_768] };
const ppk = { id: utf8('laptop'), secret: SECRET, required: false };

interface Between {
  readonly request?: Change;
  readonly response?: Change;
}

/** A client and a gateway that can do everything, and somebody who changes the two messages in clear. */
function meet({ request = same, response = same }: Between): { client: Subject; gateway: Subject } {
  const credentials = { hasPpks: true, ppk: () => SECRET };
  const gateway = gatewayOf({ credentials, config: config({ ike: { algorithms } }) });
  const [client, first] = clientOf(connection({ ike: algorithms, ppk }));
  let said: readonly Sent[] = [first];
  for (let to = gateway; said.length > 0; to = to === gateway ? client : gateway) {
    const change = to === gateway ? request : response;
    said = said.flatMap(({ path, bytes }) => to.receive(changed(bytes, change), { local: path.remote, remote: path.local }));
  }
  return { client, gateway };
}

function changed(bytes: Uint8Array, change: Change): Uint8Array {
  if (bytes[18] !== Exchange.IKE_SA_INIT) return bytes;
  const message = decodeMessage(bytes);
  return encodeMessage({ ...message, payloads: change(message.payloads) });
}

const onProposals =
  (edit: (proposals: readonly Proposal[]) => readonly Proposal[]): Change =>
  (payloads) =>
    payloads.map((one): Payload => (one.kind === 'SA' ? { ...one, proposals: edit(one.proposals) } : one));
const isFurther = ({ type }: { readonly type: number }): boolean => type >= TransformType.ADDKE1;

describe('a downgrade', () => {
  it('that does not take place: both agree on all that there is', () => {
    const { client, gateway } = meet({});
    assert.deepEqual([client.session().postQuantum, gateway.session().postQuantum], [true, true]);
    assert.equal(client.named('established')[0]?.keyExchanges, 2);
  });

  const without: Readonly<Record<string, Between>> = {
    'the proposals with ML-KEM': { request: onProposals((all) => all.filter((one) => !one.transforms.some(isFurther))) },
    'the transforms of ML-KEM': {
      request: onProposals((all) =>
        all.map((one) => ({ ...one, transforms: one.transforms.filter((part) => !isFurther(part)) })),
      ),
    },
    'N(INTERMEDIATE_EXCHANGE_SUPPORTED) of the client': { request: withoutNotify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED) },
    'N(INTERMEDIATE_EXCHANGE_SUPPORTED) of the gateway': { response: withoutNotify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED) },
    'ML-KEM from the answer': {
      response: onProposals((all) =>
        all.map((one) => ({ ...one, number: 2, transforms: one.transforms.filter((part) => !isFurther(part)) })),
      ),
    },
    'N(USE_PPK) of the client': { request: withoutNotify(Notify.USE_PPK) },
    'N(USE_PPK) of the gateway': { response: withoutNotify(Notify.USE_PPK) },
  };
  for (const [what, between] of Object.entries(without))
    it(`by who takes out ${what} ends without a session on either side`, () => {
      const { client, gateway } = meet(between);
      assert.deepEqual([client.sessions(), gateway.sessions()], [[], []]);
      assert.deepEqual([client.children.size, gateway.children.size], [0, 0]);
    });
});
