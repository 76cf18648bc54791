/** EAP in IKE_AUTH (RFC 7296 §2.16): MSCHAPv2 and TLS, after the gateway has shown its certificate, and without (RFC 5998). */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const kind = 'ecdsa-p256';

export const scenario: Scenario = {
  title: 'EAP-MSCHAPv2 and EAP-TLS; a wrong password; EAP-only',
  async run(lab) {
    const root = await lab.authority('root', kind);
    const own = await root.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
    const carol = await root.issue({ name: 'carol', kind, names: ['email:carol@example.com'], usage: 'client' });
    const dave = await root.issue({ name: 'dave', kind, names: ['email:dave@example.com'], usage: 'client' });
    const gateway = await lab.gateway({
      certificate: { chain: own.certificate, key: own.key },
      authorities: { staff: { 'ca.crt': root.certificate } },
      eapUsers: { 'alice@example.com': 'a password of alice', 'bob@example.com': 'the password of bob' },
      settings: {
        authentication: [
          { name: 'staff', method: 'eap-tls', identities: ['carol@example.com'], authorities: ['staff'] },
          // strongSwan always says that the gateway need not show a certificate; who wants one gets a rule without eapOnly.
          { name: 'bare', method: 'eap-tls', identities: ['dave@example.com'], authorities: ['staff'], eapOnly: true },
          { name: 'others', method: 'eap-mschapv2' },
        ],
      },
    });
    const peer = await lab.strongSwan('initiator', 'strongswan', {
      'x509/carol.pem': carol.certificate,
      'private/carol.pem': carol.key,
      'x509/dave.pem': dave.certificate,
      'private/dave.pem': dave.key,
      'x509ca/root.pem': root.certificate,
    });

    for (const [index, [name, identity, method]] of (
      [
        ['mschapv2', 'alice@example.com', 'EAP_MSCHAPV2'],
        ['tls', 'carol@example.com', 'EAP_TLS'],
        ['eap-only', 'dave@example.com', 'EAP_TLS'],
      ] as const
    ).entries()) {
      await lab.step(`${name}: connected, pings pass`, async () => {
        await peer.initiate(name);
        await peer.says(new RegExp(`EAP method ${method} succeeded, MSK established`), name === 'eap-only' ? 2 : 1);
        const session = await gateway.session(index + 1);
        assert.equal(session.identity, identity);
        await lab.ping(session.inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', name);
        await gateway.logged({ event: 'closed', why: 'deleted by peer' }, index + 1);
      });
    }
    await lab.step('a wrong password: refused', async () => {
      assert.notEqual((await peer.tryToInitiate('wrong-password')).status, 0);
      await peer.says(/received EAP_FAILURE|EAP-MS-CHAPv2 failed/);
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
    });
  },
};
