/** strongSwan — our gateway — FreeRADIUS: all three, and the certificates that they show each other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AccountingEntry, FreeRadius } from '../lab/freeradius.ts';
import { RADIUS_PORTS, RADIUS_SECRET } from '../lab/freeradius.ts';
import { GATEWAY_ID, type Gateway, type GatewayOptions } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { StrongSwan } from '../lab/strongswan.ts';

const kind = 'ecdsa-p256';

export interface Chain {
  readonly radius: FreeRadius;
  readonly gateway: Gateway;
  /** PEM of who vouches for gateway, RADIUS server and clients. */
  readonly anchor: string;
  /** What any further gateway process needs. */
  readonly options: GatewayOptions;
  strongSwan(): Promise<StrongSwan>;
}

export interface ChainSettings {
  /** A server that nobody runs stands before the real one. */
  readonly first?: 'dead';
  readonly newestTls?: '1.2' | '1.3';
}

export async function fullChain(lab: Lab, { first, newestTls = '1.3' }: ChainSettings = {}): Promise<Chain> {
  const root = await lab.authority('root', kind);
  const server = await root.issue({ name: 'radius', kind, names: ['DNS:radius.example'], usage: 'server' });
  const own = await root.issue({ name: 'gateway', kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
  const device = await root.issue({ name: 'device', kind, names: ['DNS:client.example'], usage: 'client' });
  const radius = await lab.freeRadius({ server, anchor: root.certificate, newestTls });
  const real = { host: radius.address, ...RADIUS_PORTS, secret: 'office' };
  const servers = first === 'dead' ? [{ ...real, port: 9, accountingPort: 9 }, real] : [real];
  const options: GatewayOptions = {
    certificate: { chain: own.certificate, key: own.key },
    authorities: { staff: { 'ca.crt': root.certificate } },
    radiusSecrets: { office: RADIUS_SECRET },
    settings: {
      radius: { servers, timeout: '500ms', attempts: 2, nasIdentifier: 'interop', accounting: true },
      authentication: [
        { name: 'machines', method: 'certificate' },
        { name: 'users', method: 'eap-radius' },
        { name: 'keys', method: 'psk' },
      ],
    },
  };
  return {
    ...{ radius, options, anchor: root.certificate, gateway: await lab.gateway(options) },
    strongSwan: () =>
      lab.strongSwan('initiator', 'strongswan', {
        'swanctl.conf': readFileSync(join(import.meta.dirname, 'swanctl.conf'), 'utf8'),
        'x509/device.pem': device.certificate,
        'private/device.pem': device.key,
        'x509ca/root.pem': root.certificate,
      }),
  };
}

/** Records of one session, in the order in which they were written. */
export const accountsOf = (radius: FreeRadius, user: string): readonly AccountingEntry[] =>
  radius.accounting().filter((entry) => entry.get('User-Name') === user);

export const of = (entry: AccountingEntry | undefined, ...names: readonly string[]): (string | undefined)[] =>
  names.map((name) => entry?.get(name));
