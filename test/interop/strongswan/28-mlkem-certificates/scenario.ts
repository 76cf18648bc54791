/** ML-KEM with certificates on both sides: IKE_INTERMEDIATE and IKE_AUTH both in many fragments (RFC 7383, RFC 9242), AUTH by signatures that cover both exchanges. */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const STAFF = { name: 'staff', method: 'certificate', authorities: ['staff'] };
const settings = { slices: 8, ike: { fragmentBytes: 600 }, authentication: [STAFF] };

export const scenario: Scenario = {
  title: 'ML-KEM-1024 with RSA certificates over an intermediate authority, in fragments of 600 bytes',
  roots: ['strongswan-sid'],
  async run(lab) {
    const root = await lab.authority('root', 'rsa-3072');
    const between = await root.intermediate('between');
    const kind = 'rsa-3072';
    const [own, staff] = await Promise.all([
      between.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
      between.issue({ name: 'staff', kind, names: ['email:staff@example.com'], usage: 'client' }),
    ]);
    const gateway = await lab.gateway({
      certificate: { chain: own.certificate + between.certificate, key: own.key },
      authorities: { staff: { 'ca.crt': root.certificate } },
      settings: { ...settings, ike: { ...settings.ike, algorithms: { additionalKeyExchange: ['mlkem1024'] } } },
    });
    const peer = await lab.strongSwan('initiator', 'strongswan-sid', {
      'x509/staff.pem': staff.certificate,
      'x509/between.pem': between.certificate,
      'private/staff.pem': staff.key,
      'x509ca/root.pem': root.certificate,
    });
    await lab.step('each signs what both exchanges said', async () => {
      await peer.initiate('net');
      await peer.says(/parsed IKE_INTERMEDIATE response 1/);
      await peer.says(new RegExp(`authentication of '${GATEWAY_ID}' with RSA_EMSA_.* successful`));
      await peer.says(/splitting IKE message \(\d+ bytes\) into [3-9] fragments/, 2);
      await gateway.logged({ event: 'established', postQuantum: true });
      const { inner, identity } = await gateway.session();
      assert.equal(identity, 'staff@example.com');
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
