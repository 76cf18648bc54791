/** A program around our client with settings that users do not have. Arguments: gateway, identity, file of the key, the settings as JSON (`Tuning`). */
import { readFileSync } from 'node:fs';
import { Client } from '../../../sidecar/client/client.ts';
import { toJson } from '../../../sidecar/client/event.ts';
import { type ClientOptions, clientOptions } from '../../../sidecar/client/options.ts';
import { PingSeries } from '../../../sidecar/client/ping-series.ts';
import { systemPorts } from '../../../sidecar/client/system-ports.ts';
import { TicketMemory } from '../../../sidecar/client/ticket-store.ts';
import { parseAddress } from '../../../sidecar/contract/address.ts';
import { readIdentity } from '../../../sidecar/contract/identity.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';

export interface Tuning extends Partial<Pick<ClientOptions, 'rekeyMs' | 'childRekeyMs' | 'deadPeerMs' | 'forceEncapsulation'>> {
  /** An address to ping all the time. */
  readonly target?: string;
}

const [, , host = '', name = '', file = '', tuning = '{}'] = process.argv;
const identity = readIdentity(name);
if (!identity) throw new Error('usage: tuned-client.ts GATEWAY IDENTITY PSK-FILE TUNING');
const { target = '', ...settings }: Tuning = JSON.parse(tuning);
const address = parseAddress(target);
const secret = new Secret(Buffer.from(readFileSync(file, 'utf8').trimEnd()));
const authentication = { method: 'psk', secret } as const;
const gateway = { host, ikePort: 500, natPort: 4500 };
const ports = systemPorts('auto');
const tell = (event: Parameters<typeof toJson>[0]): void => void process.stdout.write(`${toJson(event, Date.now())}\n`);
const client = new Client(clientOptions({ gateway, identity, authentication, ...settings }), {
  ports,
  tickets: new TicketMemory(),
  observe: tell,
  trace: () => {},
  deliver: undefined,
});
process.on('SIGTERM', () => void client.close().then(() => process.exit()));
await client.connect();
if (address) await new PingSeries({ address, intervalMs: 50, count: undefined }, (to) => client.ping(to), ports.after).run();
