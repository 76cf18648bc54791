/** As through a Service: port 500 leads to one pod and port 4500 to the other. EAP begins, goes on and ends at the second. */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const kind = 'ecdsa-p256';
const PODS = ['10.96.0.10', '10.96.0.11'] as const;

export const scenario: Scenario = {
  title: 'ports 500 and 4500 lead to different pods: EAP-MSCHAPv2 and EAP-TLS after the half-open SA was handed over',
  async run(lab) {
    const root = await lab.authority('root', kind);
    const own = await root.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
    const carol = await root.issue({ name: 'carol', kind, names: ['email:carol@example.com'], usage: 'client' });
    const options = {
      certificate: { chain: own.certificate, key: own.key },
      authorities: { staff: { 'ca.crt': root.certificate } },
      eapUsers: { 'alice@example.com': 'a password of alice' },
      settings: {
        authentication: [
          { name: 'staff', method: 'eap-tls', identities: ['carol@example.com'], authorities: ['staff'] },
          { name: 'others', method: 'eap-mschapv2' },
        ],
      },
    };
    const [first, second] = await Promise.all([lab.pod(0, PODS, options), lab.pod(1, PODS, options)]);
    await lab.relay(...PODS);
    const peer = await lab.strongSwan('initiator', 'strongswan', {
      'x509/carol.pem': carol.certificate,
      'private/carol.pem': carol.key,
      'x509ca/root.pem': root.certificate,
    });

    for (const [index, name] of (['mschapv2', 'tls'] as const).entries())
      await lab.step(`${name}: IKE_SA_INIT at one, EAP at the other; pings and a rekey there`, async () => {
        await peer.initiate(name);
        await first.logged({ event: 'handed-over', to: 1 }, index + 1);
        const { inner } = await second.session(index + 1);
        await lab.ping(inner.ipv4, INNER.ipv4);
        await peer.must('--rekey', '--ike', name);
        await second.logged({ event: 'ike-rekeyed' }, index + 1);
        await lab.ping(inner.ipv4, INNER.ipv4);
      });
    const [here, there] = [await first.status(), await second.status()];
    assert.deepEqual([here.sessions, here.halfOpen, there.sessions, there.halfOpen], [0, 0, 2, 0]);
  },
};
