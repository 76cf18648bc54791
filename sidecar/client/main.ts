/** The client as a program: connects, keeps the session through the death of its gateway, carries pings or a TUN interface. The only reader of its command line. */
import { createLog, flushLog, type Log } from '../process/log.ts';
import { endInGoodOrder } from '../process/shutdown.ts';
import { version } from '../process/version.ts';
import { eventLog } from '../shell/event-log.ts';
import { type Connect, parseArguments } from './arguments.ts';
import { provenBy } from './authentication.ts';
import { Client } from './client.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { type ClientEvent, toJson, toText } from './event.ts';
import { type ClientOptions, clientOptions, dialled } from './options.ts';
import type { PingSummary } from './ping.ts';
import { PingSeries } from './ping-series.ts';
import type { ClientPorts } from './ports.ts';
import { systemPorts } from './system-ports.ts';
import { TicketFile } from './ticket-file.ts';
import { TicketMemory, type TicketStore } from './ticket-store.ts';
import { Tunnel } from './tunnel.ts';
import { usage } from './usage.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const SHUTDOWN_LIMIT_MS = 5_000;

const line = parseArguments(process.argv.slice(2));
switch (line.command) {
  case 'help':
    process.stdout.write(usage());
    break;
  case 'version':
    process.stdout.write(`${version()}\n`);
    break;
  case 'refuse':
    refuse(`${line.problems.join('\n')}\n\nconnect --help lists all flags.`);
    break;
  case 'connect':
    await connect(line.connect);
}

function refuse(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_USAGE;
}

async function connect(asked: Connect): Promise<void> {
  const { gateway } = asked;
  const ports = systemPorts(asked.crypto);
  const read = credentials(asked, ports);
  if (!read) return;
  const { warnings, ...credential } = read;
  const log = createLog({ level: asked.logLevel, base: { gateway: dialled(gateway) }, to: process.stderr });
  const tell = teller(asked.json);
  const warn = (message: string): void => tell({ name: 'warning', message });
  const options = clientOptions({ ...asked.options, gateway, ...credential });
  warnings.forEach(warn);
  const tunnel =
    asked.tun === undefined
      ? undefined
      : new Tunnel({ name: asked.tun, transmit: (packet) => client.transmit(packet), failed: ({ message }) => warn(message) });
  const client = new Client(options, {
    ...{ ports, tickets: ticketStore(asked, options, warn), trace: eventLog(log, ports.clock) },
    observe: (event) => {
      tell(event);
      if (event.name === 'established') tunnel?.follow(event);
    },
    deliver: tunnel && ((packet) => tunnel.deliver(packet)),
  });
  await serve(asked, { client, log, ports, tell, tunnel });
}

function credentials(asked: Connect, { crypto, clock }: ClientPorts): Credentials | undefined {
  const { gateway, options } = asked;
  try {
    const request = { ...asked, host: gateway.host, remoteIdentity: options.remoteIdentity };
    return readCredentials(request, { crypto, now: clock() });
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function teller(json: boolean): (event: ClientEvent) => void {
  process.stdout.on('error', () => process.exit(EXIT_FAILED)); // nobody reads any more
  const write = json ? toJson : toText;
  return (event) => void process.stdout.write(`${write(event, Date.now())}\n`);
}

function ticketStore({ gateway, ticketFile }: Connect, options: ClientOptions, warn: (message: string) => void): TicketStore {
  if (ticketFile === undefined) return new TicketMemory();
  const { identity: local, remoteIdentity: remote, ike: algorithms, postQuantum } = options;
  const audience = {
    gateway: dialled(gateway),
    local,
    remote,
    algorithms,
    provenBy: provenBy(options.authentication),
    postQuantum,
  };
  return new TicketFile(ticketFile, audience, warn);
}

interface Parts {
  readonly client: Client;
  readonly log: Log;
  readonly ports: ClientPorts;
  readonly tell: (event: ClientEvent) => void;
  readonly tunnel: Tunnel | undefined;
}

/** Until a signal, the last ping, or the failure of a client that is to run `once`. */
async function serve({ ping, suspendOnExit }: Connect, { client, log, ports, tell, tunnel }: Parts): Promise<void> {
  const pings = ping && new PingSeries(ping, (to) => client.ping(to), ports.after);
  let closing = false;
  const close = async (): Promise<void> => {
    closing = true;
    pings?.stop();
    if (pings) tell(pings.summary);
    await (suspendOnExit ? client.suspend() : client.close());
    await tunnel?.close();
  };
  const end = endInGoodOrder({ log, close, limitMs: SHUTDOWN_LIMIT_MS });
  const failure = await outcome(client, pings);
  if (closing) return;
  if (failure === undefined) {
    end('done');
    return;
  }
  await close();
  process.stderr.write(`${failure}\n`);
  await flushLog(log);
  process.exit(EXIT_FAILED);
}

/** Undefined when all went well. */
async function outcome(client: Client, pings: PingSeries | undefined): Promise<string | undefined> {
  try {
    await client.connect();
    return await Promise.race([client.ended(), ...(pings ? [pings.run().then(lossOf)] : [])]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function lossOf({ sent, received }: PingSummary): string | undefined {
  return received < sent ? `${sent - received} of ${sent} pings were lost` : undefined;
}
