/** One core under test, alone with its clock: whatever it sends, orders, asks and tells is kept. */
import type { ChildSa, DataplaneOrder } from '../../sidecar/contract/dataplane.ts';
import type { Connection, HeldTicket } from '../../sidecar/ike/connection.ts';
import type { Policy } from '../../sidecar/ike/context.ts';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import type { Cryptography } from '../../sidecar/ike/crypto/cryptography.ts';
import type { EapQuestion } from '../../sidecar/ike/eap.ts';
import type { Intent } from '../../sidecar/ike/established.ts';
import { Gateway } from '../../sidecar/ike/gateway.ts';
import { type Instant, later, type Path } from '../../sidecar/ike/sa.ts';
import type { SessionSummary } from '../../sidecar/ike/session-summary.ts';
import type { Event, Input, Output } from '../../sidecar/ike/step.ts';
import { policy } from './policy.ts';
import { type Random, seeded } from './random.ts';

export interface Sent {
  readonly path: Path;
  readonly bytes: Uint8Array;
}

export const START = 1_000_000 as Instant;

export interface SubjectOptions {
  readonly ordinal?: number | undefined;
  readonly seed?: number;
  readonly crypto?: Cryptography;
}

export class Subject {
  readonly gateway: Gateway;
  readonly random: Random;
  readonly events: Event[] = [];
  readonly orders: DataplaneOrder[] = [];
  readonly children = new Map<number, ChildSa>();
  readonly questions: Extract<Output, { type: 'ask' }>[] = [];
  readonly answers: Extract<Output, { type: 'answer' }>[] = [];
  /** For whoever speaks EAP, and the conversations that are over. */
  readonly eap: EapQuestion[] = [];
  readonly forgotten: string[] = [];
  now = START;
  #sent: Sent[] = [];

  constructor({ ordinal, seed = 1, crypto = cryptography('auto') }: SubjectOptions = {}) {
    this.random = seeded(seed);
    this.gateway = new Gateway({ crypto, random: this.random, member: { ordinal, incarnation: this.random(16) } });
  }

  /** Datagrams that this made it send. */
  do(input: Input): Sent[] {
    const before = this.#sent.length;
    for (const output of this.gateway.handle(input, this.now)) this.#keep(output);
    return this.#sent.slice(before);
  }

  receive(bytes: Uint8Array, path: Path): Sent[] {
    return this.do({ type: 'datagram', bytes, path });
  }

  want(intent: Intent, spi = this.session().spi): Sent[] {
    return this.do({ type: 'want', spi, intent });
  }

  /** Lets time pass, with every deadline in it; answers what was sent meanwhile. */
  pass(ms: number): Sent[] {
    const before = this.#sent.length;
    const end = later(this.now, ms);
    for (let due = this.gateway.deadline(); due && due.at <= end; due = this.gateway.deadline()) {
      this.now = Math.max(this.now, due.at) as Instant;
      this.do({ type: 'deadline' });
      if (this.#sent.length > 100_000) throw new Error('deadlines without end');
    }
    this.now = end;
    return this.#sent.slice(before);
  }

  named<N extends Event['name']>(name: N): (Event & { readonly name: N })[] {
    return this.events.filter((one): one is Event & { readonly name: N } => one.name === name);
  }

  /** Why SAs ended, in order. */
  endings(): string[] {
    return this.named('closed').map(({ why }) => why);
  }

  drops(): string[] {
    return this.named('dropped').map(({ reason }) => reason);
  }

  sessions(): SessionSummary[] {
    return this.gateway.sessions().filter(({ phase }) => phase === 'established');
  }

  /** The only session. */
  session(): SessionSummary {
    const [only, ...others] = this.sessions();
    if (!only || others.length > 0) throw new Error(`${others.length + (only ? 1 : 0)} sessions where there should be one`);
    return only;
  }

  phases(): string[] {
    return this.gateway.sessions().map(({ phase }) => phase);
  }

  #keep(output: Output): void {
    if (output.type === 'send') this.#sent.push(output);
    else if (output.type === 'event') this.#hear(output.event);
    else if (output.type === 'dataplane') this.#obey(output.order);
    else if (output.type === 'eap') this.eap.push(output.question);
    else if (output.type === 'eap-forget') this.forgotten.push(output.conversation);
    else if (output.type === 'ask') this.questions.push(output);
    else this.answers.push(output);
  }

  #hear(event: Event): void {
    if (event.name === 'internal-error') throw event.error;
    this.events.push(event);
  }

  #obey(order: DataplaneOrder): void {
    this.orders.push(order);
    if (order.order === 'install') this.children.set(order.child.spiIn, order.child);
    if (order.order === 'remove') this.children.delete(order.spiIn);
  }
}

/** A gateway pod that is in force. */
export function gatewayOf(part: Parameters<typeof policy>[0] = {}, options: SubjectOptions = {}): Subject {
  const subject = new Subject({ ordinal: 0, ...options });
  subject.do({ type: 'configure', policy: policy(part) });
  return subject;
}

export const configure = (subject: Subject, next: Policy): Sent[] => subject.do({ type: 'configure', policy: next });

/** A client that has begun; its first request is the answer. */
export function clientOf(connection: Connection, ticket?: HeldTicket, options: SubjectOptions = {}): [Subject, Sent] {
  const subject = new Subject({ seed: 7, ...options });
  const [first] = subject.do({ type: 'connect', connection, ticket });
  if (!first) throw new Error('the client said nothing');
  return [subject, first];
}
