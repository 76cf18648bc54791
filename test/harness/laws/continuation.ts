/** A gateway or a client that goes on from some moment, and what is checked after whatever it is told. */
import assert from 'node:assert/strict';
import type { ChildSa } from '../../../sidecar/contract/dataplane.ts';
import { install } from '../../../sidecar/ike/child.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import type { EapAnswer } from '../../../sidecar/ike/eap.ts';
import { Gateway } from '../../../sidecar/ike/gateway.ts';
import { type SecuredSa, seal } from '../../../sidecar/ike/protection.ts';
import { type IkeSa, type Instant, inPhase, ownSpi, type Path } from '../../../sidecar/ike/sa.ts';
import { encodeSa } from '../../../sidecar/ike/sa-encoding.ts';
import type { SaTable } from '../../../sidecar/ike/sa-table.ts';
import type { Output } from '../../../sidecar/ike/step.ts';
import { type Bytes, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, encodeMessage, type Header } from '../../../sidecar/ike/wire/message.ts';
import { type Random, seeded } from '../random.ts';
import { inForce, type Moment, tableAt } from './moments.ts';
import type { Overheard } from './overheard.ts';
import type { Said } from './said.ts';

const crypto = cryptography('auto');
const NOBODY: Path = { local: '198.51.100.1:4500', remote: '192.0.2.99:4500' };

export class Continuation {
  readonly sas: SaTable;
  readonly gateway: Gateway;
  readonly #moment: Moment;
  readonly #random: Random;
  #now: number;
  readonly #children: Map<number, ChildSa>;

  constructor(moment: Moment, policy = inForce()) {
    this.#moment = moment;
    this.#now = moment.at;
    this.#random = seeded(1);
    this.sas = tableAt(moment);
    const isClient = moment.name.startsWith('client');
    const member = { ordinal: isClient ? undefined : 0, incarnation: this.#random(16) };
    this.gateway = new Gateway({ crypto, random: this.#random, member, sas: this.sas });
    this.#children = new Map(this.#held().map((child) => [child.spiIn, child]));
    if (!isClient) this.gateway.handle({ type: 'configure', policy }, this.now);
  }

  get now(): Instant {
    return this.#now as Instant;
  }

  /** The SA that the moment is about, as it is now. */
  get sa(): IkeSa | undefined {
    return this.sas.get(this.#moment.spi);
  }

  /** Everything that it holds, as bytes. */
  state(): string {
    return Array.from(this.sas.values(), (sa) => hex(encodeSa(sa))).join('\n');
  }

  /** SAs that have keys, as bytes, by our SPI. */
  secured(): ReadonlyMap<string, string> {
    const all = [...this.sas.values()].filter(({ phase }) => 'keys' in phase);
    return new Map(all.map((sa) => [ownSpi(sa), hex(encodeSa(sa))]));
  }

  /** For an answer in clear, to a first request of its own. */
  get waits(): boolean {
    return this.sa !== undefined && inPhase(this.sa, 'initSent', 'resumeSent');
  }

  /** What its peer sends, sealed or in clear as the phase wants it. */
  from({ exchange, response, payloads }: Overheard, { idOffset, limit }: Pick<Said, 'idOffset' | 'limit'>): readonly Bytes[] {
    const { sa } = this;
    if (!sa) return [];
    const { window, spiI, role } = sa;
    const messageId = ((response ? (window.sent?.messageId ?? window.next) : window.expected) + idOffset) >>> 0;
    const spiR = this.waits ? '0123456789abcdef' : sa.spiR;
    const header: Header = { spiI, spiR, exchange, response, initiator: role === 'responder', messageId };
    if (!('keys' in sa.phase)) return [encodeMessage({ ...header, payloads })];
    const peer = { ...sa, role: role === 'initiator' ? 'responder' : 'initiator' } as SecuredSa;
    return seal(peer, header, payloads, limit, { crypto, random: this.#random });
  }

  /** Takes a datagram; whatever it was, what must always be true is true afterwards. */
  hear(bytes: Bytes, path: Path = this.sa?.path ?? NOBODY): readonly Output[] {
    const before = this.sas.established;
    const outputs = this.gateway.handle({ type: 'datagram', path, bytes }, this.now);
    for (const output of outputs) this.#perform(output);
    assert.deepEqual(new Set(this.#children.keys()), new Set(this.#held().map(({ spiIn }) => spiIn)));
    assert(this.sas.established <= before + 1, 'one message makes one SA at most');
    return outputs;
  }

  /** Whoever speaks EAP has answered; for the moment's SA, unless it says otherwise. */
  eap(answer: EapAnswer, conversation = this.#moment.spi): readonly Output[] {
    const outputs = this.gateway.handle({ type: 'eap-answered', conversation, answer }, this.now);
    for (const output of outputs) this.#perform(output);
    return outputs;
  }

  /** The peer says nothing any more: whatever there is comes to its end by itself. */
  beLeft(): void {
    for (let steps = 0; steps < 500; steps++) {
      const due = this.gateway.deadline();
      if (!due) break;
      this.#now = Math.max(this.#now, due.at);
      for (const output of this.gateway.handle({ type: 'deadline' }, this.now)) this.#perform(output);
    }
    assert.deepEqual(
      Array.from(this.sas.values(), ({ phase }) => phase.name),
      [],
      'an SA outlives its peer',
    );
    assert.equal(this.#children.size, 0);
  }

  #perform(output: Output): void {
    if (output.type === 'event' && output.event.name === 'internal-error') throw output.event.error;
    if (output.type === 'send') decodeMessage(output.bytes);
    if (output.type !== 'dataplane') return;
    const { order } = output;
    if (order.order === 'install') this.#children.set(order.child.spiIn, order.child);
    if (order.order === 'remove') this.#children.delete(order.spiIn);
  }

  #held(): ChildSa[] {
    return [...this.sas.values()].flatMap((sa) =>
      inPhase(sa, 'established') ? sa.phase.children.flatMap((child) => install(sa, child).flatMap(installed)) : [],
    );
  }
}

const installed = (output: Output): ChildSa[] =>
  output.type === 'dataplane' && output.order.order === 'install' ? [output.order.child] : [];

export const sends = (outputs: readonly Output[]): Extract<Output, { type: 'send' }>[] =>
  outputs.filter((output) => output.type === 'send');
