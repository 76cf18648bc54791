/**
 * Two machines, a cable, and a tunnel over it, by one way to move packets. Another data plane is another entry here: what is measured is the same.
 *
 *     client 10.96.0.1, inside 10.77.0.1  ————————  gateway 10.96.0.2, inside 10.77.0.2
 */
import { join } from 'node:path';
import { connect, Machine } from '../../interop/lab/machine.ts';
import type { Roots } from '../../interop/lab/roots.ts';
import { StrongSwan } from '../../interop/lab/strongswan.ts';

export const OUTER = { client: '10.96.0.1', gateway: '10.96.0.2' } as const;
export const INNER = { client: '10.77.0.1', gateway: '10.77.0.2' } as const;
export type Side = keyof typeof OUTER;
const SIDES = ['client', 'gateway'] as const;
const ESP_END = join(import.meta.dirname, 'esp-end.ts');
const PEERS = join(import.meta.dirname, 'strongswan');

export interface Tunnel {
  readonly name: string;
  readonly machines: Readonly<Record<Side, Machine>>;
  /** Of the processes that move the packets. */
  readonly pids: Readonly<Record<Side, number>>;
}

export interface Surroundings {
  readonly roots: Roots;
  readonly folder: string;
}

export const tunnels = {
  rekindle: async ({ folder }: Surroundings): Promise<Tunnel> => {
    const machines = await twoMachines('rekindle', folder);
    const [client, gateway] = await Promise.all(SIDES.map((side) => espEnd(machines[side], side)));
    return { name: 'rekindle', machines, pids: { client: client ?? 0, gateway: gateway ?? 0 } };
  },
  strongswan: async ({ roots, folder }: Surroundings): Promise<Tunnel> => {
    const machines = await twoMachines('strongswan', folder);
    for (const side of SIDES) await machines[side].must('ip', 'address', 'add', `${INNER[side]}/32`, 'dev', 'lo');
    const start = (side: Side, scenario: string) => {
      const machine = machines[side];
      const root = roots.get('strongswan');
      if (root === undefined) throw new Error('no root of strongSwan');
      return StrongSwan.start({ machine, root, at: `/run/bench-${scenario}`, peers: PEERS, scenario });
    };
    const gateway = await start('gateway', 'responder');
    const client = await start('client', 'initiator');
    await client.initiate('bulk');
    return { name: 'strongswan', machines, pids: { client: client.pid, gateway: gateway.pid } };
  },
};

async function twoMachines(name: string, folder: string): Promise<Tunnel['machines']> {
  const machines = {
    client: await Machine.create(`client-${name}`, folder),
    gateway: await Machine.create(`gateway-${name}`, folder),
  };
  const end = (side: Side) => ({ machine: machines[side], device: 'outer', addresses: [`${OUTER[side]}/24`] });
  await connect([end('client'), end('gateway')]);
  return machines;
}

/** Answers its process. */
async function espEnd(machine: Machine, side: Side): Promise<number> {
  const program = machine.start(`esp-${side}`, [process.execPath, ESP_END, side]);
  await program.wait((line) => (line.includes('"ready"') ? line : undefined), 1, { what: 'ready' });
  return program.pid;
}
