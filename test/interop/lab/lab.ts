/**
 * The world of one scenario: two machines and a cable, a capture of what goes over it, and whoever is started on them.
 *
 *     initiator 10.96.0.1, fd96::1  ————————  responder 10.96.0.2, fd96::2; relay 10.96.0.3
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority, type KeyKind } from './authority.ts';
import { KEYS_FILE } from './capture.ts';
import { Client } from './client.ts';
import { FreeRadius, type FreeRadiusSettings } from './freeradius.ts';
import { Gateway, type GatewayOptions, SECRET } from './gateway.ts';
import { type Certificates, Libreswan } from './libreswan.ts';
import { LocalMode } from './local.ts';
import { connect, Machine } from './machine.ts';
import { Narration } from './narration.ts';
import { unmountRoot } from './peer-root.ts';
import { Relay } from './relay.ts';
import type { RootName, Roots } from './roots.ts';
import { StrongSwan } from './strongswan.ts';
import type { Tuning } from './tuned-client.ts';

export const OUTER = {
  initiator: { ipv4: '10.96.0.1', ipv6: 'fd96::1' },
  responder: { ipv4: '10.96.0.2', ipv6: 'fd96::2' },
} as const;
/** Something in the way, on the machine of one of the two. */
export const RELAY = '10.96.0.3';
const CABLE = 'outer';
const KEY_RECORDER = join(import.meta.dirname, 'key-recorder.ts');
/** Views of roots; in memory of the lab alone. */
const VIEWS = '/run/rekindle-interop';

type Role = keyof typeof OUTER;

export interface LabPlace {
  /** The scenario's folder without that of its peer, `01-psk`. */
  readonly scenario: string;
  /** Distinguishes labs that exist at the same time. */
  readonly number: number;
  /** For logs, files and the capture. */
  readonly folder: string;
  readonly roots: Roots;
  /** Keys of IKE SAs are written down for a recording. */
  readonly record: boolean;
  /** Makes libreswan believe that the kernel has ESP. */
  readonly shim: string;
}

interface ClientChoice {
  readonly secret?: string;
  /** Where it connects to. */
  readonly gateway?: string;
}

export class Lab extends Narration {
  readonly initiator: Machine;
  readonly responder: Machine;
  /** For files of the scenario. */
  readonly folder: string;
  readonly #place: LabPlace;
  readonly #views: string[] = [];

  private constructor(place: LabPlace, initiator: Machine, responder: Machine) {
    super();
    this.#place = place;
    this.folder = place.folder;
    this.initiator = initiator;
    this.responder = responder;
  }

  static async create(place: LabPlace): Promise<Lab> {
    const { number, folder } = place;
    mkdirSync(folder, { recursive: true });
    const initiator = await Machine.create(`initiator-${number}`, folder);
    const responder = await Machine.create(`responder-${number}`, folder);
    const lab = new Lab(place, initiator, responder);
    await connect([lab.#end('initiator'), lab.#end('responder')]);
    // Over this one the tests ask our gateway for its status.
    await connect([
      { machine: undefined, device: `lab${number}`, addresses: [`198.18.${number}.1/24`] },
      { machine: responder, device: 'control', addresses: [`198.18.${number}.2/24`] },
    ]);
    await lab.#capture();
    return lab;
  }

  /** On the responder. */
  gateway(options: GatewayOptions & { readonly addresses?: readonly string[] } = {}): Promise<Gateway> {
    const { number, folder } = this.#place;
    const { addresses = [OUTER.responder.ipv4, OUTER.responder.ipv6] } = options;
    const place = { machine: this.responder, folder, node: this.#node(), addresses, httpAddress: `198.18.${number}.2` };
    return Gateway.start(place, options);
  }

  /** One of two sibling gateways on the responder; these are their outer addresses. */
  async pod(ordinal: 0 | 1, outer: readonly [string, string], options: GatewayOptions = {}): Promise<Gateway> {
    const { number, folder } = this.#place;
    const httpAddress = `198.18.${number}.1${ordinal}`;
    await this.responder.must('ip', 'address', 'add', `${outer[ordinal]}/24`, 'dev', CABLE);
    await this.responder.must('ip', 'address', 'add', `${httpAddress}/24`, 'dev', 'control');
    const settings = { ...options.settings, peers: { host: `198.18.${number}.1{ordinal}`, replicas: 2 } };
    const place = { machine: this.responder, folder, node: this.#node(), addresses: [outer[ordinal]], httpAddress };
    return Gateway.start(place, { ...options, settings, ordinal });
  }

  /** The local mode on the responder; the initiator reaches its service at the address of the relay. */
  async localMode(replicas: number): Promise<LocalMode> {
    const local = await LocalMode.start(this.responder, this.folder, replicas);
    await this.relay(await local.address());
    return local;
  }

  /** At its address the initiator reaches these gateways: port 500 the first, port 4500 the second or the same. */
  relay(...targets: readonly string[]): Promise<Relay> {
    return this.#relayOn('responder', targets.length > 0 ? targets : [OUTER.responder.ipv4]);
  }

  /** For a gateway that takes the ports on all addresses of the responder. */
  relayOfInitiator(): Promise<Relay> {
    return this.#relayOn('initiator', [OUTER.responder.ipv4]);
  }

  /** `root`: one that the scenario names in its `roots`; `files`: credentials. */
  strongSwan(
    role: Role,
    root: 'strongswan' | 'strongswan-sid' = 'strongswan',
    files: Readonly<Record<string, string>> = {},
  ): Promise<StrongSwan> {
    const { scenario } = this.#place;
    return StrongSwan.start({ machine: this[role], root: this.#root(root), at: this.#view(role), scenario, files });
  }

  /** A trust anchor of this scenario. */
  authority(name = 'root', kind: KeyKind = 'ecdsa-p256'): Promise<Authority> {
    return Authority.root(join(this.folder, 'authorities'), name, kind);
  }

  libreswan(role: Role, certificates?: Certificates): Promise<Libreswan> {
    const { scenario, shim } = this.#place;
    return Libreswan.start({
      machine: this[role],
      root: this.#root('libreswan'),
      at: this.#view(role),
      scenario,
      shim,
      certificates,
    });
  }

  /** On the responder; the tests reach it too. */
  freeRadius(settings: FreeRadiusSettings): Promise<FreeRadius> {
    const place = { machine: this.responder, root: this.#root('freeradius'), at: this.#view('freeradius') };
    return FreeRadius.start({ ...place, address: `198.18.${this.#place.number}.2` }, settings);
  }

  /** On the initiator, connecting to the responder. */
  client(...args: readonly string[]): Client {
    return this.clientWith({}, ...args);
  }

  clientWith({ secret = SECRET, gateway = OUTER.responder.ipv4 }: ClientChoice, ...args: readonly string[]): Client {
    return Client.start(this.initiator, { folder: this.folder, node: this.#node(), gateway, credentials: { secret }, args });
  }

  /** With flags that say who it is, instead of the pre-shared key. */
  clientAs(flags: readonly string[], ...args: readonly string[]): Client {
    const place = { folder: this.folder, node: this.#node(), gateway: OUTER.responder.ipv4 };
    return Client.start(this.initiator, { ...place, credentials: { flags }, args });
  }

  /** A file that a client reads, its owner's alone. */
  clientFile(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** The same with settings that users do not have. */
  tunedClient(tuning: Tuning): Client {
    const place = { folder: this.folder, node: this.#node(), gateway: OUTER.responder.ipv4 };
    return Client.startTuned(this.initiator, { ...place, tuning });
  }

  /** From the initiator through the tunnel. @throws Error when one of three is lost. */
  async ping(from: string, to: string): Promise<void> {
    // A peer that came by itself may still be about to configure the address that the gateway gave it.
    await this.eventually(async () => {
      if ((await this.initiator.must('ip', 'address', 'show', 'to', from)) === '')
        throw new Error(`the initiator has no ${from}`);
    });
    await this.initiator.must('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', '-I', from, to);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.initiator.destroy(), this.responder.destroy()]);
    for (const view of this.#views) unmountRoot(view);
  }

  async #relayOn(role: Role, targets: readonly string[]): Promise<Relay> {
    await this[role].must('ip', 'address', 'add', `${RELAY}/24`, 'dev', CABLE);
    return Relay.start(this[role], RELAY, targets);
  }

  async #capture(): Promise<void> {
    const file = join(this.#place.folder, 'capture.pcap');
    const args = ['-i', CABLE, '--immediate-mode', '-U', '-s', '0', '-Z', 'root', '-w', file];
    await this.responder.start('tcpdump', ['tcpdump', ...args]).wait((line) => /listening on/.exec(line) ?? undefined, 1, {
      what: 'listening',
    });
  }

  #node(): readonly string[] {
    if (!this.#place.record) return [process.execPath];
    return ['env', `REKINDLE_KEYS=${join(this.folder, KEYS_FILE)}`, process.execPath, '--import', KEY_RECORDER];
  }

  #root(name: RootName): string {
    const folder = this.#place.roots.get(name);
    if (folder === undefined) throw new Error(`the scenario does not name ${name} in its roots`);
    return folder;
  }

  #view(of: Role | 'freeradius'): string {
    const at = `${VIEWS}/${this.#place.number}-${of}`;
    this.#views.push(at);
    return at;
  }

  #end(role: Role) {
    const { ipv4, ipv6 } = OUTER[role];
    return { machine: this[role], device: CABLE, addresses: [`${ipv4}/24`, `${ipv6}/64`] };
  }
}
