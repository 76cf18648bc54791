/** Gateways and clients on a simulated network: a service with a balancer, NATs, loss, delay and a clock that only moves when all is done. */

import type { ChildSa, DataplaneOrder } from '../../sidecar/contract/dataplane.ts';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import type { EapAnswer, EapQuestion } from '../../sidecar/ike/eap.ts';
import { Gateway } from '../../sidecar/ike/gateway.ts';
import { type Instant, later, type Path } from '../../sidecar/ike/sa.ts';
import { SaTable } from '../../sidecar/ike/sa-table.ts';
import type { Event, Input, Output } from '../../sidecar/ike/step.ts';
import { played } from './eap-script.ts';
import { seeded } from './random.ts';

export interface Datagram {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** One process: a gateway pod or a client. */
export class Node {
  readonly name: string;
  address: string;
  readonly ordinal: number | undefined;
  readonly gateway: Gateway;
  /** What the gateway keeps its SAs in: to look at them, never to change them. */
  readonly sas: SaTable;
  readonly events: Event[] = [];
  readonly children = new Map<number, ChildSa>();
  alive = true;

  constructor(name: string, address: string, ordinal: number | undefined, seed: number, sas = new SaTable()) {
    const random = seeded(seed);
    this.name = name;
    this.address = address;
    this.ordinal = ordinal;
    this.sas = sas;
    this.gateway = new Gateway({ crypto: cryptography('auto'), random, member: { ordinal, incarnation: random(16) }, sas });
  }

  named<N extends Event['name']>(name: N): Extract<Event, { name: N }>[] {
    return this.events.filter((one): one is Extract<Event, { name: N }> => one.name === name);
  }

  /** What a data plane does with an order. */
  carry(order: DataplaneOrder): void {
    if (order.order === 'install') this.children.set(order.child.spiIn, order.child);
    else if (order.order === 'remove') this.children.delete(order.spiIn);
    else {
      const child = this.children.get(order.spiIn);
      if (child) this.children.set(order.spiIn, { ...child, path: order.path });
    }
  }

  /** Established SAs. */
  sessions() {
    return this.gateway.sessions().filter(({ phase }) => phase === 'established');
  }
}

type Happening =
  | { readonly at: Instant; readonly is: 'arrival'; readonly datagram: Datagram }
  | { readonly at: Instant; readonly is: 'words'; readonly node: Node; readonly input: Input };

export const SERVICE = '198.51.100.1';

export class World {
  now: Instant;
  readonly nodes = new Map<string, Node>();
  /** Every datagram that was sent, in order. */
  readonly sent: Datagram[] = [];
  /** The fate of a datagram: after how many ms its copies arrive; none: it is lost. */
  wire: (datagram: Datagram, index: number) => readonly number[] = () => [1];
  /** After how many ms words between pods arrive. */
  words: () => number = () => 1;
  /** Which pod a flow to the service reaches; kept until `forget`. */
  balance: (flow: { readonly from: string; readonly port: string }, pods: readonly Node[]) => Node | undefined = (_, pods) =>
    pods[0];
  /** Outside address of each inside endpoint that sits behind a NAT. */
  readonly nat = new Map<string, string>();
  /** Sees every input and what came of it, before that is carried out. */
  watch: (node: Node, input: Input, outputs: readonly Output[]) => void = () => {};
  /** Speaks EAP for everybody; undefined: never answers. */
  eap: (question: EapQuestion) => EapAnswer | undefined = played;
  /** What nodes that are added from now on keep their SAs in. */
  table: () => SaTable = () => new SaTable();
  readonly #flows = new Map<string, Node>();
  /** Who asked: a pod that was restarted meanwhile gets no answer. */
  readonly #askers = new Map<string, { readonly node: Node; readonly question: string }>();
  #asked = 0;
  #happenings: Happening[] = [];
  #seed: number;

  constructor(seed = 1, start = 1_000_000) {
    this.now = start as Instant;
    this.#seed = seed * 1_000;
  }

  client(name: string, address = '192.0.2.1'): Node {
    return this.#add(new Node(name, address, undefined, this.#seed++, this.table()));
  }

  /** A pod behind the service; replaces one of the same ordinal. */
  pod(ordinal: number): Node {
    return this.#add(new Node(`pod-${ordinal}`, `10.0.0.${10 + ordinal}`, ordinal, this.#seed++, this.table()));
  }

  pods(): Node[] {
    return [...this.nodes.values()].filter(({ ordinal, alive }) => ordinal !== undefined && alive);
  }

  kill(node: Node): void {
    node.alive = false;
  }

  forgetFlows(): void {
    this.#flows.clear();
  }

  do(node: Node, input: Input): void {
    if (!node.alive) return;
    const outputs = node.gateway.handle(input, this.now);
    this.watch(node, input, outputs);
    for (const output of outputs) this.#perform(node, output);
  }

  /** Lets everything happen that happens within `ms`. */
  run(ms = 100): void {
    const end = later(this.now, ms);
    for (let steps = 0; this.#step(end); steps++) if (steps > 200_000) throw new Error('the world does not come to rest');
    this.now = end;
  }

  #step(end: Instant): boolean {
    const happening = this.#happenings[0];
    const due = this.#earliestDeadline();
    if (due && due.at <= end && (!happening || due.at <= happening.at)) {
      this.now = Math.max(this.now, due.at) as Instant;
      this.do(due.node, { type: 'deadline' });
      return true;
    }
    if (!happening || happening.at > end) return false;
    this.#happenings.shift();
    this.now = Math.max(this.now, happening.at) as Instant;
    if (happening.is === 'arrival') this.#arrive(happening.datagram);
    else this.#hear(happening.node, happening.input);
    return true;
  }

  /** A pod that is dead, or has nothing to say to a question, answers so at once: the connection ends. */
  #hear(node: Node, input: Input): void {
    this.do(node, input);
    if (input.type === 'asked' && this.#askers.has(input.question)) this.#answer(input.question, undefined);
  }

  #earliestDeadline(): { node: Node; at: Instant } | undefined {
    let earliest: { node: Node; at: Instant } | undefined;
    for (const node of this.nodes.values()) {
      const at = node.alive ? node.gateway.deadline()?.at : undefined;
      if (at !== undefined && (!earliest || at < earliest.at)) earliest = { node, at };
    }
    return earliest;
  }

  #add(node: Node): Node {
    this.nodes.set(node.name, node);
    return node;
  }

  #perform(node: Node, output: Output): void {
    switch (output.type) {
      case 'send':
        this.#send(node, output.path, output.bytes);
        break;
      case 'event':
        node.events.push(output.event);
        if (output.event.name === 'internal-error') throw output.event.error;
        break;
      case 'dataplane':
        node.carry(output.order);
        break;
      case 'ask':
        this.#ask(node, output);
        break;
      case 'answer':
        this.#answer(output.question, output.bytes);
        break;
      case 'eap':
        this.#converse(node, output.question);
    }
  }

  #converse(node: Node, question: EapQuestion): void {
    const answer = this.eap(question);
    const { conversation } = question;
    if (answer) this.#later(1, { is: 'words', node, input: { type: 'eap-answered', conversation, answer } });
  }

  #ask(node: Node, { ordinal, question, bytes }: Extract<Output, { type: 'ask' }>): void {
    const owner = this.nodes.get(`pod-${ordinal}`);
    if (!owner?.alive) this.#later(50, { is: 'words', node, input: { type: 'answered', question, bytes: undefined } });
    else {
      const name = `${node.name} ${question} ${this.#asked++}`;
      this.#askers.set(name, { node, question });
      this.#later(this.words(), { is: 'words', node: owner, input: { type: 'asked', question: name, bytes } });
    }
  }

  #answer(name: string, bytes: Uint8Array | undefined): void {
    const asker = this.#askers.get(name);
    this.#askers.delete(name);
    if (asker)
      this.#later(this.words(), { is: 'words', node: asker.node, input: { type: 'answered', question: asker.question, bytes } });
  }

  #send(node: Node, path: Path, bytes: Uint8Array): void {
    const port = path.local.slice(path.local.lastIndexOf(':'));
    const from = node.ordinal === undefined ? (this.nat.get(path.local) ?? path.local) : `${SERVICE}${port}`;
    const datagram = { from, to: path.remote, bytes };
    const index = this.sent.push(datagram) - 1;
    for (const delay of this.wire(datagram, index)) this.#later(delay, { is: 'arrival', datagram });
  }

  #arrive({ from, to, bytes }: Datagram): void {
    const [host, port] = split(to);
    const inside = [...this.nat].find(([, outside]) => outside === to)?.[0] ?? to;
    const node =
      host === SERVICE
        ? this.#balanced(from, port)
        : [...this.nodes.values()].find(({ address }) => address === split(inside)[0]);
    if (!node) return;
    const local = host === SERVICE ? `${node.address}:${port}` : inside;
    this.do(node, { type: 'datagram', path: { local, remote: from }, bytes });
  }

  #balanced(from: string, port: string): Node | undefined {
    const key = `${from} ${port}`;
    const known = this.#flows.get(key);
    if (known) return known; // a dead pod keeps its flows, as conntrack does
    const chosen = this.balance({ from, port }, this.pods());
    if (chosen) this.#flows.set(key, chosen);
    return chosen;
  }

  #later(
    ms: number,
    happening: Omit<Extract<Happening, { is: 'arrival' }>, 'at'> | Omit<Extract<Happening, { is: 'words' }>, 'at'>,
  ): void {
    const at = later(this.now, ms);
    const index = this.#happenings.findIndex((other) => other.at > at);
    const entry = { ...happening, at } as Happening;
    if (index === -1) this.#happenings.push(entry);
    else this.#happenings.splice(index, 0, entry);
  }
}

const split = (endpoint: string): [string, string] => {
  const at = endpoint.lastIndexOf(':');
  return [endpoint.slice(0, at), endpoint.slice(at + 1)];
};
