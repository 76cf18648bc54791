/**
 * The world of one scenario, in a kernel of its own: a client's machine, a router, nodes of a cluster with a gateway pod each, and a
 * server behind them.
 *
 *     initiator ————————————— router ————————————— pod-0 ———————————— server
 *     10.96.0.1, fd96::1         |     10.97.0.2, fd97:0::2    10.20.0.1, fd20::1
 *     10.96.1.1, fd96:1::1       +———————————————— pod-1 ————————————— +
 *                                      10.97.1.2, fd97:1::2
 *
 * Pods serve the address of the service, which is on their loopback; the router knows which pod gets it, as with a load balancer that speaks BGP.
 */
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Client } from '../../interop/lab/client.ts';
import { SECRET } from '../../interop/lab/gateway.ts';
import { Libreswan } from '../../interop/lab/libreswan.ts';
import { connect, Machine } from '../../interop/lab/machine.ts';
import { Narration } from '../../interop/lab/narration.ts';
import { Program } from '../../interop/lab/program.ts';
import type { RootName, Roots } from '../../interop/lab/roots.ts';
import { StrongSwan } from '../../interop/lab/strongswan.ts';
import type { AgentSettings } from './agent.ts';
import { AgentPod } from './agent-pod.ts';
import { GatewayPod, type PodOptions } from './gateway-pod.ts';
import { innerAddresses } from './inner-addresses.ts';

/** Configurations of peers, one folder each. */
const PEERS = join(import.meta.dirname, '../peers');
/** Views of roots. */
const VIEWS = '/run/rekindle-kernel';
/** The device of the initiator that comes first, and the one that it may change to. */
export const OUTER = { device: 'outer', ipv4: '10.96.0.1', ipv6: 'fd96::1' } as const;
export const OTHER = { device: 'other', ipv4: '10.96.1.1', ipv6: 'fd96:1::1' } as const;
export const SERVICE = { ipv4: '10.98.0.1', ipv6: 'fd98::1' } as const;
/** What the pods' clients may reach. */
export const SERVER = { ipv4: '10.20.0.1', ipv6: 'fd20::1' } as const;
/** Less than the scenarios of such files have. */
const TESTS_LIMIT_MS = 290_000;
const TUN = 'vpn0';
const ORDINALS = [0, 1] as const;

export type Ordinal = (typeof ORDINALS)[number];
type Role = 'initiator' | 'pod-0';

export interface LabPlace {
  /** For logs, files and the capture. */
  readonly folder: string;
  readonly roots: Roots;
}

export class KernelLab extends Narration {
  readonly initiator: Machine;
  readonly router: Machine;
  readonly pods: Readonly<Record<Ordinal, Machine>>;
  readonly server: Machine;
  /** For files of the scenario. */
  readonly folder: string;
  /** What was measured, for a program that asked for it. */
  readonly figures: Record<string, number> = {};
  readonly #place: LabPlace;

  private constructor(
    place: LabPlace,
    [initiator, router, pod0, pod1, server]: readonly [Machine, Machine, Machine, Machine, Machine],
  ) {
    super();
    this.#place = place;
    this.folder = place.folder;
    this.initiator = initiator;
    this.router = router;
    this.pods = { 0: pod0, 1: pod1 };
    this.server = server;
  }

  static async create(place: LabPlace): Promise<KernelLab> {
    const machine = (name: string) => Machine.create(name, place.folder);
    const machines = await Promise.all([
      machine('initiator'),
      machine('router'),
      machine('pod-0'),
      machine('pod-1'),
      machine('server'),
    ]);
    const lab = new KernelLab(place, machines);
    await Promise.all([lab.#connectInitiator(), ...ORDINALS.map((ordinal) => lab.#connectPod(ordinal))]);
    await Promise.all([lab.#configureHosts(), lab.serve(0)]);
    await lab.capture(lab.pods[0], 'eth0');
    return lab;
  }

  /** The router sends what is for the service to this pod from now on. */
  async serve(ordinal: Ordinal): Promise<void> {
    const { router } = this;
    await router.must('ip', 'route', 'replace', SERVICE.ipv4, 'via', `10.97.${ordinal}.2`);
    await router.must('ip', 'route', 'replace', SERVICE.ipv6, 'via', `fd97:${ordinal}::2`);
  }

  /** Agent and sidecar on a node. */
  async pod(ordinal: Ordinal = 0, options: PodOptions = {}): Promise<GatewayPod> {
    const place = {
      machine: this.pods[ordinal],
      folder: join(this.folder, `pod-${ordinal}`),
      ordinal,
      addresses: [SERVICE.ipv4, SERVICE.ipv6],
      httpAddress: `198.18.${ordinal}.2`,
    };
    return GatewayPod.start(place, options);
  }

  /** An agent on a node, and no sidecar. */
  agentAlone(settings: AgentSettings): Promise<AgentPod> {
    return AgentPod.alone({ machine: this.pods[0], folder: join(this.folder, 'pod-0'), ordinal: 0 }, settings);
  }

  /** ESP is its kernel's. */
  strongSwan(role: Role = 'initiator'): Promise<StrongSwan> {
    const place = {
      machine: this.#machine(role),
      root: this.#root('strongswan'),
      at: `${VIEWS}/strongswan-${role}`,
      peers: PEERS,
    };
    return StrongSwan.start({ ...place, scenario: role === 'initiator' ? 'strongswan' : 'strongswan-responder' });
  }

  /** ESP is its kernel's. */
  libreswan(role: Role = 'initiator'): Promise<Libreswan> {
    const place = { machine: this.#machine(role), root: this.#root('libreswan'), at: `${VIEWS}/libreswan-${role}`, peers: PEERS };
    return Libreswan.start({ ...place, scenario: role === 'initiator' ? 'libreswan' : 'libreswan-responder' });
  }

  /** Our client on the initiator, with ESP in its own process and a TUN interface. */
  client(...args: readonly string[]): Client {
    const place = { folder: this.folder, node: [process.execPath], gateway: SERVICE.ipv4, credentials: { secret: SECRET } };
    return Client.start(this.initiator, { ...place, args: ['--tun', TUN, ...args] });
  }

  /** Runs a file of tests that make their own networks. @throws Error when one fails; its log has more. */
  async tests(file: string): Promise<void> {
    const name = basename(file, '.ts');
    const argv = [process.execPath, '--test', '--test-reporter=spec', file];
    const program = new Program(name, argv, join(this.folder, `${name}.log`));
    await program.ended(TESTS_LIMIT_MS).finally(() => program.kill());
    const failed = program.lines.filter((line) => /^\s*✖ .+\(/.test(line));
    if (program.exitCode !== 0) throw new Error(`${file}:\n${failed.join('\n')}`);
    this.note(
      program.lines
        .filter((line) => /^ℹ (tests|pass)/.test(line))
        .join(', ')
        .replaceAll('ℹ ', ''),
    );
  }

  /** A file of rules. */
  async nft(machine: Machine, rules: string): Promise<void> {
    const file = join('/run/tmp', `${machine.name}.nft`);
    writeFileSync(file, rules);
    await machine.must('nft', '-f', file);
  }

  /** Done when the kernel of the initiator sends what is for the server to our client. Its inner addresses. */
  async clientReady(client: Client): Promise<{ ipv4: string; ipv6: string }> {
    await client.tells('established');
    await this.eventually(async () => {
      for (const to of [SERVER.ipv4, SERVER.ipv6])
        if (!(await this.initiator.must('ip', 'route', 'get', to)).includes(TUN)) throw new Error(`no route to ${to} by ${TUN}`);
    });
    return innerAddresses(this.initiator);
  }

  /** Our client on a machine of its own, with flags that say who it is. */
  async neighbour(flags: readonly string[]): Promise<{ readonly machine: Machine; readonly client: Client }> {
    const neighbour = await Machine.create('neighbour', this.folder);
    await connect([
      { machine: neighbour, device: OUTER.device, addresses: ['10.96.2.1/24'] },
      { machine: this.router, device: 'neighbours', addresses: ['10.96.2.254/24'] },
    ]);
    await neighbour.must('ip', 'route', 'add', 'default', 'via', '10.96.2.254');
    const place = { folder: this.folder, node: [process.execPath], gateway: SERVICE.ipv4, credentials: { flags } };
    return { machine: neighbour, client: Client.start(neighbour, { ...place, args: ['--tun', TUN] }) };
  }

  /** A file that a client reads, its owner's alone. */
  secretFile(text: string): string {
    const file = join(this.folder, 'secret');
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** From the initiator. @throws Error when one of three is lost. */
  async ping(from: string, to: string): Promise<void> {
    await this.initiator.must('ping', '-n', '-c', '3', '-i', '0.05', '-W', '3', '-I', from, to);
  }

  /** Into `MACHINE-DEVICE.pcap`. */
  async capture(machine: Machine, device: string): Promise<void> {
    const file = join(this.folder, `${machine.name}-${device}.pcap`);
    const args = ['-i', device, '--immediate-mode', '-U', '-s', '200', '-Z', 'root', '-w', file];
    const listening = (line: string) => /listening on/.exec(line) ?? undefined;
    await machine.start(`tcpdump-${machine.name}-${device}`, ['tcpdump', ...args]).wait(listening, 1, { what: 'listening' });
  }

  /** What the kernel has on each machine, for whoever looks for the cause of a failure. */
  async tellState(): Promise<void> {
    const commands = [
      ['ip', 'address'],
      ['ip', 'route', 'show', 'table', 'all'],
      ['ip', '-s', 'xfrm', 'state'],
      ['ip', '-s', 'xfrm', 'policy'],
      ['nft', 'list', 'ruleset'],
      ['nstat', '-as'],
      ['cat', '/proc/net/xfrm_stat'],
    ];
    for (const machine of [this.initiator, this.router, this.pods[0], this.pods[1], this.server]) {
      const texts = [];
      for (const [command = '', ...args] of commands)
        texts.push(`# ${command} ${args.join(' ')}\n${(await machine.run(command, ...args)).text}`);
      writeFileSync(join(this.folder, `state-of-${machine.name}.txt`), texts.join('\n'));
    }
  }

  async #connectInitiator(): Promise<void> {
    const { initiator, router } = this;
    await connect([
      { machine: initiator, device: OUTER.device, addresses: [`${OUTER.ipv4}/24`, `${OUTER.ipv6}/64`] },
      { machine: router, device: 'clients', addresses: ['10.96.0.254/24', 'fd96::fe/64'] },
    ]);
    await connect([
      { machine: initiator, device: OTHER.device, addresses: [`${OTHER.ipv4}/24`, `${OTHER.ipv6}/64`] },
      { machine: router, device: 'others', addresses: ['10.96.1.254/24', 'fd96:1::fe/64'] },
    ]);
  }

  async #connectPod(ordinal: Ordinal): Promise<void> {
    const pod = this.pods[ordinal];
    await connect([
      { machine: pod, device: 'eth0', addresses: [`10.97.${ordinal}.2/24`, `fd97:${ordinal}::2/64`] },
      { machine: this.router, device: `pod-${ordinal}`, addresses: [`10.97.${ordinal}.254/24`, `fd97:${ordinal}::fe/64`] },
    ]);
    await connect([
      { machine: pod, device: 'eth1', addresses: [`10.21.${ordinal}.2/24`, `fd21:${ordinal}::2/64`] },
      { machine: this.server, device: `pod-${ordinal}`, addresses: [`10.21.${ordinal}.1/24`, `fd21:${ordinal}::1/64`] },
    ]);
    // Over this one the tests ask our gateway for its status.
    await connect([
      { machine: undefined, device: `control-${ordinal}`, addresses: [`198.18.${ordinal}.1/24`] },
      { machine: pod, device: 'control', addresses: [`198.18.${ordinal}.2/24`] },
    ]);
    const batch = [
      `address add ${SERVICE.ipv4}/32 dev lo`,
      `address add ${SERVICE.ipv6}/128 dev lo nodad`,
      `route add default via 10.97.${ordinal}.254`,
      `route add default via fd97:${ordinal}::fe`,
      `route add ${SERVER.ipv4} via 10.21.${ordinal}.1`,
      `route add ${SERVER.ipv6} via fd21:${ordinal}::1`,
    ];
    await this.#batch(pod, batch);
  }

  async #configureHosts(): Promise<void> {
    const server = [`address add ${SERVER.ipv4}/32 dev lo`, `address add ${SERVER.ipv6}/128 dev lo nodad`];
    const initiator = ['route add default via 10.96.0.254', 'route add default via fd96::fe'];
    const spare = ['route add default via 10.96.1.254 metric 100', 'route add default via fd96:1::fe metric 2048'];
    await Promise.all([this.#batch(this.server, server), this.#batch(this.initiator, [...initiator, ...spare])]);
    for (const machine of [this.router, ...Object.values(this.pods)])
      await machine.must('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  }

  async #batch(machine: Machine, commands: readonly string[]): Promise<void> {
    const file = join('/run/tmp', `${machine.name}.batch`);
    writeFileSync(file, `${commands.join('\n')}\n`);
    await machine.must('ip', '-batch', file);
  }

  #machine(role: Role): Machine {
    return role === 'initiator' ? this.initiator : this.pods[0];
  }

  #root(name: RootName): string {
    const folder = this.#place.roots.get(name);
    if (folder === undefined) throw new Error(`the scenario does not name ${name} in its roots`);
    return folder;
  }
}
