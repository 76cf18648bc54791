/** Who answers: one process on a core and in a network namespace of its own, and what was configured so that all do the same. */
import { join } from 'node:path';
import { pkcs12 } from '../../interop/lab/authority.ts';
import { Libreswan } from '../../interop/lab/libreswan.ts';
import { connect, Machine, must } from '../../interop/lab/machine.ts';
import { unmountRoot } from '../../interop/lab/peer-root.ts';
import type { RootName, Roots } from '../../interop/lab/roots.ts';
import { StrongSwan } from '../../interop/lab/strongswan.ts';
import type { Certificates } from '../certificates.ts';
import { GATEWAY_CORE, GatewayProcess } from '../gateway-process.ts';
import type { Endpoint } from '../initiator.ts';
import { pin } from '../process-cost.ts';

export type ResponderName = 'rekindle' | 'strongswan' | 'libreswan';
export type Proof = 'psk' | 'certificate';

export interface Responder {
  readonly endpoint: Endpoint;
  readonly pid: number;
  stop(): Promise<void>;
}

/** What a responder needs of its surroundings. */
export interface Surroundings {
  readonly roots: Roots;
  readonly shim: string;
  /** For logs and files. */
  readonly folder: string;
  /** Of how many users there are pre-shared keys. */
  readonly users: number;
  readonly certificates: Certificates;
}

export const RESPONDERS = ['rekindle', 'strongswan', 'libreswan'] as const satisfies readonly ResponderName[];

/** In the network of each: the load has .1, the responder .2. */
const NETWORK: Readonly<Record<ResponderName, string>> = { rekindle: '10.97.1', strongswan: '10.97.2', libreswan: '10.97.3' };
const IKE_PORT = 500;

const NO_ESP = 'ESP by netlink in a kernel that only seems to have it (shim)';

/** What is said of each beside the figures. */
export const configured: Readonly<Record<ResponderName, readonly string[]>> = {
  rekindle: [
    'log of warnings, no cookies, no liveness checks, no rekeys by time, a ticket only where one is asked for; ESP in user space without',
    'a TUN device; addresses leased in one slice; certificates that were good are remembered (1,000)',
  ],
  strongswan: [
    `${NO_ESP}; no log, dos_protection=no, cookie_threshold=0, block_threshold=0, unique=never, install_routes=no, keep_alive=0,`,
    'no rekeys by time, ikesa_table_size=32768, threads=16. (With kernel-libipsec each child costs more the more there are: 1 to 4 ms)',
  ],
  libreswan: [
    `${NO_ESP}; logfile=/dev/null, ddos-mode=unlimited, uniqueids=no, leftupdown=%disabled, rekey=no, mobike=no,`,
    'nhelpers=0 (all in one thread, for one core); tickets of 3,600 s under a key in memory',
  ],
};

export async function startResponder(name: ResponderName, proof: Proof, around: Surroundings): Promise<Responder> {
  const machine = await Machine.create(name, around.folder);
  const network = NETWORK[name];
  await connect([
    { machine: undefined, device: name, addresses: [`${network}.1/24`] },
    { machine, device: 'outer', addresses: [`${network}.2/24`] },
  ]);
  // So that no certificate needs a fragment of any kind.
  await machine.must('ip', 'link', 'set', 'outer', 'mtu', String(MTU));
  await machine.must('ip', 'route', 'add', `${CLIENTS}.0.0/16`, 'via', `${network}.1`);
  const started = await starters[name](machine, `${network}.2`, proof, around);
  pin(GATEWAY_CORE, started.pid);
  return {
    ...started,
    async stop() {
      await started.stop();
      await machine.destroy();
    },
  };
}

const MTU = 9_000;

/** Peers look for connections by address: a crowd behind a single one would be slower than it is in the field. */
export const clientAddresses = (): readonly string[] =>
  Array.from({ length: CLIENT_ADDRESSES }, (_, index) => `${CLIENTS}.${index >> 8}.${index & 0xff}`);
/** All of them are this machine's, which is where the load runs. */
export const holdClientAddresses = (): Promise<string> => must('ip', ['route', 'add', 'local', `${CLIENTS}.0.0/16`, 'dev', 'lo']);
const CLIENTS = '10.98';
const CLIENT_ADDRESSES = 500;

type Starter = (machine: Machine, address: string, proof: Proof, around: Surroundings) => Promise<Responder>;

const starters: Readonly<Record<ResponderName, Starter>> = {
  async rekindle(machine, address, proof, { users, certificates }) {
    const place = { address, within: ['nsenter', `--net=/run/netns/${machine.name}`] };
    const chosen = proof === 'certificate' ? certificates.gateway : undefined;
    const gateway = await GatewayProcess.start({ users, crypto: 'auto', certificates: chosen, place });
    return { endpoint: gateway.endpoint, pid: gateway.pid, stop: () => gateway.stop() };
  },

  async strongswan(machine, address, _proof, { roots, shim, certificates: { gateway } }) {
    const view = viewOf('strongswan', roots);
    const files = {
      ...{ 'x509/gateway.pem': gateway.own, 'private/gateway.pem': gateway.key },
      ...{ 'x509ca/root.pem': gateway.authority, 'x509ca/intermediate.pem': gateway.intermediate },
    };
    const peer = await StrongSwan.start({ machine, ...view, files, shim });
    return { endpoint: { address, port: IKE_PORT }, pid: peer.pid, stop: () => ended(peer, view.at) };
  },

  async libreswan(machine, address, proof, { roots, shim, folder, certificates: { gateway } }) {
    const view = viewOf('libreswan', roots);
    const credential = { name: 'gateway', certificate: gateway.own, key: gateway.key };
    const own = [await pkcs12(folder, credential, gateway.intermediate)];
    const peer = await Libreswan.start({ machine, ...view, shim, certificates: { own, roots: { root: gateway.authority } } });
    await peer.add(proof);
    return { endpoint: { address, port: IKE_PORT }, pid: peer.pid, stop: () => ended(peer, view.at) };
  },
};

function viewOf(name: Exclude<ResponderName, 'rekindle'> & RootName, roots: Roots) {
  const root = roots.get(name);
  if (root === undefined) throw new Error(`there is no root of ${name}`);
  return { root, at: `/run/rekindle-bench/${name}`, peers: join(import.meta.dirname, name), scenario: 'responder' };
}

async function ended(peer: { kill(): Promise<void> }, view: string): Promise<void> {
  await peer.kill();
  unmountRoot(view);
}
