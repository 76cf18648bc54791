/** A session that came of RSA certificates: IKE_AUTH is long, the path is not (RFC 7383), and both sides rekey at once as with any other. */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Relay } from '../../lab/relay.ts';
import type { Scenario } from '../../lab/scenario.ts';

const PATH_BYTES = 1_280;
/** IPv4 and UDP. */
const HEADERS = 28;

const settings = (times: { readonly ike: string; readonly esp: string }) => ({
  ...{ slices: 8, authentication: [{ name: 'staff', method: 'certificate', authorities: ['staff'] }] },
  ike: { rekey: times.ike, deadPeer: '1m', retransmit: { first: '2s' } },
  esp: { rekey: times.esp },
});

export const scenario: Scenario = {
  title: 'certificates over a path of 1 280 bytes: IKE_AUTH in fragments; both rekey at once; DELETE',
  async run(lab) {
    for (const machine of [lab.initiator, lab.responder])
      await machine.must('ip', 'link', 'set', 'outer', 'mtu', String(PATH_BYTES));
    const root = await lab.authority('root', 'rsa-3072');
    const between = await root.intermediate('between');
    const [server, device] = await Promise.all([
      between.issue({ name: 'gateway', kind: 'rsa-3072', names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
      between.issue({ name: 'device', kind: 'rsa-3072', names: ['email:device@example.com'], usage: 'client' }),
    ]);
    const gateway = await lab.gateway({
      certificate: { chain: server.certificate + between.certificate, key: server.key },
      authorities: { staff: { 'ca.crt': root.certificate } },
      settings: settings({ ike: '6s', esp: '2s' }),
    });
    const relay = await lab.relay();
    const peer = await lab.strongSwan('initiator', 'strongswan', {
      'x509/device.pem': device.certificate,
      'x509/between.pem': between.certificate,
      'private/device.pem': device.key,
      'x509ca/root.pem': root.certificate,
    });

    const { inner } = await lab.step('IKE_AUTH in fragments both ways, none of which is longer than the path', async () => {
      await peer.initiate('net');
      await peer.says(/splitting IKE message \(\d+ bytes\) into [2-9] fragments/);
      await peer.says(/reassembled fragmented IKE message/);
      const sizes = peer.said(/received packet: from .* \(\d+ bytes\)/).map((line) => Number(/\((\d+) bytes\)/.exec(line)?.[1]));
      assert.ok(Math.max(...sizes) <= PATH_BYTES - HEADERS, String(sizes));
      return gateway.session();
    });
    await lab.step('a child: both requests cross', async () => {
      await gateway.reload({ settings: settings({ ike: '0s', esp: '0s' }) });
      await collide(relay, () => peer.swanctl('--rekey', '--child', 'net'));
      await peer.says(/detected rekey collision for CHILD_SA/);
      await gateway.logged({ event: 'child-removed' }, 2);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the IKE SA: both requests cross', async () => {
      await collide(relay, () => peer.swanctl('--rekey', '--ike', 'cert'));
      await peer.says(/rekey collision.*IKE_SA|IKE_SA rekey collision/);
      await gateway.logged({ event: 'ike-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('DELETE', async () => {
      await peer.must('--terminate', '--ike', 'cert');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
    });
  },
};

async function collide(relay: Relay, rekey: () => Promise<unknown>): Promise<void> {
  await relay.hold();
  const rekeyed = rekey();
  await relay.holds('CREATE_CHILD_SA', 'to gateway');
  await relay.holds('CREATE_CHILD_SA', 'to client');
  await relay.release();
  await rekeyed;
}
