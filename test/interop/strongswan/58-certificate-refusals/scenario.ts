/** Certificates that do not count: strongSwan learns AUTHENTICATION_FAILED, the same for each; the gateway's log says why. */
import assert from 'node:assert/strict';
import { FUTURE, PAST } from '../../lab/authority.ts';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const kind = 'ecdsa-p256';
/** Connection → why its certificate does not count. */
const REFUSED = {
  expired: 'expired',
  early: 'not-yet-valid',
  stranger: 'unknown-authority',
  'wrong-name': 'wrong-identity',
  revoked: 'revoked',
  'wrong-usage': 'wrong-usage',
} as const;

export const scenario: Scenario = {
  title: 'expired, early, revoked, of a stranger or of another name: refused alike; revoked while connected: the session ends',
  async run(lab) {
    const [root, other] = await Promise.all([lab.authority('root', kind), lab.authority('other', kind)]);
    const between = await root.intermediate('between');
    const names = (name: string): string[] => [`email:${name}@example.com`];
    const client = (name: string) => ({ name, kind, names: names(name), usage: 'client' }) as const;
    const own = await between.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
    const good = await between.issue(client('good'));
    const expired = await between.issue({ ...client('expired'), valid: PAST });
    const early = await between.issue({ ...client('early'), valid: FUTURE });
    const revoked = await between.issue(client('revoked'));
    const stranger = await other.issue(client('stranger'));
    const server = await between.issue({ ...client('wrong-usage'), name: 'server', usage: 'server' });
    await between.revoke(revoked);

    const gateway = await lab.gateway({
      certificate: { chain: own.certificate + between.certificate, key: own.key },
      authorities: { staff: { 'ca.crt': root.certificate, 'between.crl': await between.list() } },
      settings: { authentication: [{ name: 'staff', method: 'certificate', authorities: ['staff'] }] },
    });
    const peer = await lab.strongSwan('initiator', 'strongswan', {
      ...Object.fromEntries(
        [good, expired, early, revoked, stranger, server].flatMap(({ name, certificate, key }) => [
          [`x509/${name}.pem`, certificate],
          [`private/${name}.pem`, key],
        ]),
      ),
      'x509/between.pem': between.certificate,
      'x509ca/root.pem': root.certificate,
      'x509ca/other.pem': other.certificate,
    });

    let failures = 0;
    for (const [name, reason] of Object.entries(REFUSED)) {
      await lab.step(`${name}: refused`, async () => {
        const { status } = await peer.tryToInitiate(name);
        assert.notEqual(status, 0);
        await peer.says(/received AUTHENTICATION_FAILED notify error/, ++failures);
        await gateway.logged({ event: 'refused', notify: 'AUTHENTICATION_FAILED' }, failures);
        const said = JSON.stringify(gateway.log({ event: 'refused' }).at(-1));
        assert.match(said, new RegExp(reason));
        assert.equal((await gateway.status()).sessions, 0);
      });
    }
    await lab.step('a good one: connected', async () => {
      await peer.initiate('good');
      assert.equal((await gateway.session()).identity, 'good@example.com');
    });
    await lab.step('revoked while connected: the session ends, and there is no other', async () => {
      await between.revoke(good);
      gateway.writeAuthority('staff', 'between.crl', await between.list());
      await gateway.logged({ event: 'closed', why: 'certificate revoked' });
      await peer.says(/received DELETE for IKE_SA good/);
      assert.notEqual((await peer.tryToInitiate('good')).status, 0);
      assert.equal((await gateway.status()).sessions, 0);
    });
  },
};
