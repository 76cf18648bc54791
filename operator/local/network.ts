/** Addresses of the local mode: a /16 of the loopback network, in it one /24 per gateway: .1 is the service, .1N pod N. No root is needed. */
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Placement } from '../plan/plan.ts';
import { readJsonIfThere, writeWhole } from './disk.ts';

export interface Ports {
  readonly ike: number;
  readonly nat: number;
  readonly peer: number;
  readonly http: number;
}

/** Above 1023, and below the range from which systems take ports by themselves. */
export const LOCAL_PORTS: Ports = { ike: 15500, nat: 14500, peer: 19500, http: 19501 };

/** Pod 99 has the address .199. */
const MAX_ORDINAL = 99;
const FIRST_NETWORK = 71;
const LAST_NETWORK = 99;

export class LocalNetwork {
  /** Its first two bytes, `127.71`. */
  readonly prefix: string;
  readonly ports: Ports;
  readonly #file: string;
  readonly #numbers: Map<string, number>;

  constructor(prefix: string, ports: Ports, stateDirectory: string) {
    this.prefix = prefix;
    this.ports = ports;
    this.#file = join(stateDirectory, 'networks.json');
    this.#numbers = readNumbers(this.#file);
  }

  serviceAddress(namespace: string, gateway: string): string {
    return `${this.#network(namespace, gateway)}.1`;
  }

  podAddress(namespace: string, gateway: string, ordinal: number): string {
    if (ordinal > MAX_ORDINAL)
      throw new Error(`the local mode has addresses for pods 0 to ${MAX_ORDINAL} of a gateway, not for ${ordinal}`);
    return `${this.#network(namespace, gateway)}.1${ordinal}`;
  }

  placement(namespace: string, gateway: string): Placement {
    return {
      image: 'rekindle:local',
      ikePort: this.ports.ike,
      natPort: this.ports.nat,
      httpPort: this.ports.http,
      peerPort: this.ports.peer,
      peerHost: `${this.#network(namespace, gateway)}.1{ordinal}`,
      operatorNamespace: namespace,
      hasAgents: false,
    };
  }

  /** The same for a gateway as long as the state directory lives. */
  #network(namespace: string, gateway: string): string {
    const key = `${namespace}/${gateway}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return `${this.prefix}.${known}`;
    const taken = new Set(this.#numbers.values());
    const free = Array.from({ length: 255 }, (_, number) => number).find((number) => !taken.has(number));
    if (free === undefined) throw new Error('the local mode has room for 255 gateways; begin with a new state directory');
    this.#numbers.set(key, free);
    writeWhole(this.#file, `${JSON.stringify(Object.fromEntries(this.#numbers))}\n`);
    return `${this.prefix}.${free}`;
  }
}

function readNumbers(file: string): Map<string, number> {
  const value = readJsonIfThere(file);
  return new Map(
    Object.entries(value ?? {}).flatMap(([key, number]) => (typeof number === 'number' ? [[key, number] as const] : [])),
  );
}

/** Takes a /16 for this process: its last address but one is bound as long as `release` is not called. */
export async function reserveNetwork(
  wanted: string | undefined,
  port: number,
): Promise<{ readonly prefix: string; release(): void }> {
  const numbers = Array.from({ length: LAST_NETWORK - FIRST_NETWORK + 1 }, (_, index) => `127.${FIRST_NETWORK + index}`);
  for (const prefix of wanted === undefined ? numbers : [wanted]) {
    if (hasSockets(prefix)) continue;
    const socket = await bind(`${prefix}.255.254`, port);
    if (socket) return { prefix, release: () => socket.close() };
  }
  throw new Error(
    `${wanted ?? `127.${FIRST_NETWORK} to 127.${LAST_NETWORK}`}: in use by other runs; stop one, or choose with --network`,
  );
}

/** Pods of a run that crashed still serve there, and only a run with the same state directory may end them. */
function hasSockets(prefix: string): boolean {
  const [first = 0, second = 0] = prefix.split('.').map(Number);
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');
  // proc(5): addresses stand there in the byte order of the machine, little-endian wherever we run.
  const local = `^\\s*\\d+: [0-9A-F]{4}${hex(second)}${hex(first)}:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}`;
  // Connections that have ended linger in other states than LISTEN, and take nothing from anybody.
  return isIn('/proc/net/udp', new RegExp(local, 'm')) || isIn('/proc/net/tcp', new RegExp(`${local} 0A`, 'm'));
}

const isIn = (table: string, what: RegExp): boolean => existsSync(table) && what.test(readFileSync(table, 'latin1'));

function bind(address: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: false });
    socket.once('error', (error) => {
      socket.close();
      if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => resolve(socket.unref()));
  });
}
