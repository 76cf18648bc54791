/** EAP of our client with strongSwan (RFC 7296 §2.16): MSCHAPv2, TLS, TLS without another proof of the gateway (RFC 5998), a wrong password. */
import assert from 'node:assert/strict';
import type { Credential } from '../../lab/authority.ts';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';
const kind = 'ecdsa-p256';

export const scenario: Scenario = {
  title: 'our client by EAP-MSCHAPv2, EAP-TLS and EAP-only; a wrong password',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const root = await lab.authority('root', kind);
    const own = await root.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
    const carol = await root.issue({ name: 'carol', kind, names: ['email:carol@example.com'], usage: 'client' });
    const dave = await root.issue({ name: 'dave', kind, names: ['email:dave@example.com'], usage: 'client' });
    const peer = await lab.strongSwan('responder', 'strongswan', {
      'x509/gateway.pem': own.certificate,
      'private/gateway.pem': own.key,
      'x509ca/root.pem': root.certificate,
    });
    const common = ['--ca', lab.clientFile('root.pem', root.certificate), '--remote-id', GATEWAY_ID];
    const pings = ['--ping', BEHIND, '--interval', '50ms', '--count', '3'];
    const alice = (password: string): readonly string[] => [
      ...['--eap-user', 'alice@users.example', '--eap-password-file', lab.clientFile('password', `${password}\n`), ...common],
    ];
    const tls = ({ name, certificate, key }: Credential): readonly string[] => [
      ...[
        '--eap-tls',
        '--cert',
        lab.clientFile(`${name}.crt`, certificate),
        '--key',
        lab.clientFile(`${name}.key`, key),
        ...common,
      ],
    ];

    for (const [what, flags, proof, said] of [
      ['EAP-MSCHAPv2', alice('a password of alice'), 'certificate', /EAP method EAP_MSCHAPV2 succeeded, MSK established/],
      ['EAP-TLS', tls(carol), 'certificate', /EAP method EAP_TLS succeeded, MSK established/],
      ['EAP-only', [...tls(dave), '--eap-only'], 'EAP', /authentication of 'dave@example.com' with EAP successful/],
    ] as const) {
      await lab.step(`${what}: connected, pings pass`, async () => {
        const client = lab.clientAs(flags, ...pings);
        const [established] = await client.tells('established');
        assert.deepEqual([established?.gatewayProof, established?.remoteId], [proof, GATEWAY_ID]);
        await peer.says(said);
        assert.equal(await client.ended(), 0);
      });
    }
    await lab.step('a wrong password: refused, with what to do', async () => {
      const client = lab.clientAs(alice('not the password of alice'), '--once');
      const [refused] = await client.tells('refused');
      assert.match(refused?.remedy ?? '', /--eap-user/);
      assert.equal(await client.ended(), 1);
    });
  },
};
