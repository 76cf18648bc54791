/** Sibling pods of one gateway, whose words to each other are carried by hand: in time, late, twice or never. */
import type { Output } from '../../sidecar/ike/step.ts';
import { config, policy } from './policy.ts';
import { gatewayOf, type Sent, type Subject } from './subject.ts';

export type Question = Extract<Output, { type: 'ask' }> & { readonly from: number };

export class Pods {
  readonly #pods: Subject[];
  readonly #carried: number[];
  /** By pods that were asked. */
  #sent: Sent[] = [];

  constructor(count: number, part: Parameters<typeof config>[0] = {}) {
    const whole = policy({ config: config({ ...part, peers: { replicas: count }, ike: { deadPeerMs: 0, ...part.ike } }) });
    this.#pods = Array.from({ length: count }, (_, ordinal) => gatewayOf(whole, { ordinal, seed: 10 + ordinal }));
    this.#carried = this.#pods.map(() => 0);
    this.talk();
  }

  get(ordinal: number): Subject {
    return this.#pods[ordinal] ?? raise(ordinal);
  }

  /** Another process with the same ordinal. */
  replace(ordinal: number, subject: Subject): void {
    subject.now = this.get(ordinal).now;
    this.#pods[ordinal] = subject;
    this.#carried[ordinal] = 0;
  }

  /** What has been asked and not been carried yet. */
  questions(): Question[] {
    return this.#pods.flatMap((pod, from) => {
      const fresh = pod.questions.slice(this.#carried[from]).map((question) => ({ ...question, from }));
      this.#carried[from] = pod.questions.length;
      return fresh;
    });
  }

  /** Carries a question to the pod that it is for, and answers what that says; undefined: nothing. */
  ask({ ordinal, question, bytes }: Pick<Question, 'ordinal' | 'question' | 'bytes'>): Uint8Array | undefined {
    const pod = this.#pods[ordinal];
    const before = pod?.answers.length ?? 0;
    this.#sent.push(...(pod?.do({ type: 'asked', question, bytes }) ?? []));
    return pod?.answers[before]?.bytes;
  }

  /** Carries an answer, or the lack of one, to who asked. */
  answer({ from, question }: Question, bytes: Uint8Array | undefined): Sent[] {
    return this.get(from).do({ type: 'answered', question, bytes });
  }

  /** Carries everything to and fro until nobody says anything; answers what was sent to peers meanwhile. */
  talk(): Sent[] {
    const sent: Sent[] = [];
    this.#sent = [];
    for (let asked = this.questions(); asked.length > 0; asked = this.questions())
      for (const question of asked) sent.push(...this.answer(question, this.ask(question)));
    return [...sent, ...this.#sent];
  }

  pass(ms: number): void {
    for (const pod of this.#pods) pod.pass(ms);
    this.talk();
  }
}

function raise(ordinal: number): never {
  throw new RangeError(`no pod ${ordinal}`);
}
