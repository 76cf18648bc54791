/** A program around our client whose IKE SA and children live so briefly that it rekeys them by itself. Arguments: gateway, identity, file of the key. */
import { readFileSync } from 'node:fs';
import { Client } from '../../../sidecar/client/client.ts';
import { toJson } from '../../../sidecar/client/event.ts';
import { clientOptions } from '../../../sidecar/client/options.ts';
import { PingSeries } from '../../../sidecar/client/ping-series.ts';
import { systemPorts } from '../../../sidecar/client/system-ports.ts';
import { TicketMemory } from '../../../sidecar/client/ticket-store.ts';
import { parseAddress } from '../../../sidecar/contract/address.ts';
import { readIdentity } from '../../../sidecar/contract/identity.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';

const [, , host = '', name = '', file = '', target = ''] = process.argv;
const identity = readIdentity(name);
const address = parseAddress(target);
if (!identity || !address) throw new Error('usage: short-lived-client.ts GATEWAY IDENTITY PSK-FILE PING-ADDRESS');
const secret = new Secret(Buffer.from(readFileSync(file, 'utf8').trimEnd()));
const authentication = { method: 'psk', secret } as const;
const gateway = { host, ikePort: 500, natPort: 4500 };
const ports = systemPorts('auto');
const tell = (event: Parameters<typeof toJson>[0]): void => void process.stdout.write(`${toJson(event, Date.now())}\n`);
const client = new Client(clientOptions({ gateway, identity, authentication, rekeyMs: 3_000, childRekeyMs: 2_000 }), {
  ports,
  tickets: new TicketMemory(),
  observe: tell,
  trace: () => {},
  deliver: undefined,
});
process.on('SIGTERM', () => void client.close().then(() => process.exit()));
await client.connect();
await new PingSeries({ address, intervalMs: 50, count: undefined }, (to) => client.ping(to), ports.after).run();
