/** Who somebody is to EAP is another question than who it says it is to IKE (RFC 7296 §2.16, §3.16); EAP-TLS with TLS 1.3 (RFC 9190). */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const kind = 'ecdsa-p256';

export const scenario: Scenario = {
  title: 'another name in EAP than in IKE, no name in IKE; TLS 1.3; wrong password and unknown user: alike',
  async run(lab) {
    const root = await lab.authority('root', kind);
    const own = await root.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
    const carol = await root.issue({ name: 'carol', kind, names: ['email:carol@example.com'], usage: 'client' });
    const gateway = await lab.gateway({
      certificate: { chain: own.certificate, key: own.key },
      authorities: { staff: { 'ca.crt': root.certificate } },
      eapUsers: { 'alice@example.com': 'a password of alice', 'bob@example.com': 'the password of bob' },
      settings: {
        authentication: [
          { name: 'staff', method: 'eap-tls', identities: ['carol@example.com'], authorities: ['staff'] },
          { name: 'others', method: 'eap-mschapv2' },
        ],
      },
    });
    const peer = await lab.strongSwan('initiator', 'strongswan', {
      'x509/carol.pem': carol.certificate,
      'private/carol.pem': carol.key,
      'x509ca/root.pem': root.certificate,
    });

    for (const [index, [what, name, identity]] of (
      [
        ['a device whose user has another name: the user counts', 'named', 'alice@example.com'],
        ['a device that says its address only: it is asked for an EAP identity', 'any', 'alice@example.com'],
        ['EAP-TLS with TLS 1.3', 'tls', 'carol@example.com'],
      ] as const
    ).entries())
      await lab.step(what, async () => {
        await peer.initiate(name);
        const session = await gateway.session(index + 1);
        assert.equal(session.identity, identity);
        await lab.ping(session.inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', name);
        await gateway.logged({ event: 'closed', why: 'deleted by peer' }, index + 1);
      });
    assert.equal(peer.said(/server requested EAP_IDENTITY/).length, 2, 'not where IDi is a mail address');
    await peer.says(/negotiated TLS 1\.3 using suite/);

    await lab.step('a wrong password and an unknown user hear the same', async () => {
      const heard = ['wrong-password', 'unknown'].map(async (name) =>
        assert.notEqual((await peer.tryToInitiate(name)).status, 0),
      );
      await Promise.all(heard);
      const said = await peer.says(/EAP-MS-CHAPv2 failed with error/, 2);
      const [first, second] = said.map((line) => line.replace(/^\d+/, ''));
      assert.equal(first, second);
      // It goes by the Failure packet of MSCHAPv2, before EAP-Failure comes.
      await gateway.logged({ event: 'closed', why: 'authentication failed' }, 2);
      assert.equal(gateway.log({ event: 'established' }).length, 3);
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
    });
  },
};
