/** Happenings as lines for people: on a terminal in colours with the state of all pods below, else plain. */
import type { Happening } from './happening.ts';
import type { LocalCluster } from './local-cluster.ts';

export interface Screen {
  readonly write: (text: string) => void;
  readonly colours: boolean;
  /** Columns of a terminal; undefined: not one, nothing is ever redrawn. */
  readonly columns: (() => number) | undefined;
}

export class Display {
  readonly #screen: Screen;
  readonly #now: () => Date;
  #cluster: LocalCluster | undefined;
  /** Lines at the bottom that the next happening replaces. */
  #drawn = 0;
  /** By object and reason, both few. */
  readonly #said: Map<string, string> = new Map();

  constructor(screen: Screen, now: () => Date) {
    this.#screen = screen;
    this.#now = now;
  }

  /** From here on the pods are shown below the lines. */
  follow(cluster: LocalCluster): void {
    this.#cluster = cluster;
    this.#draw();
  }

  show(happening: Happening): void {
    if (this.#isOldHat(happening)) return;
    this.#erase();
    const time = this.#now().toISOString().slice(11, 19);
    for (const { text, tone } of lines(happening)) this.#screen.write(`${this.#paint('dim', time)} ${this.#paint(tone, text)}\n`);
    this.#draw();
  }

  /** Conditions come with events, and Reconciling says what Ready says. */
  #isOldHat(happening: Happening): boolean {
    if (happening.event === 'condition') {
      this.#said.set(`${happening.object} ${happening.reason}`, happening.message);
      return happening.type === 'Reconciling' || (happening.type === 'Stalled' && happening.status === 'False');
    }
    return happening.event === 'event' && this.#said.get(`${happening.object} ${happening.reason}`) === happening.message;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const { columns } = this.#screen;
    if (!columns || !this.#cluster) return;
    const rows = podRows(this.#cluster);
    for (const row of rows) this.#screen.write(`${this.#paint('dim', row.slice(0, columns() - 1))}\n`);
    this.#drawn = rows.length;
  }

  #paint(tone: Tone, text: string): string {
    return this.#screen.colours && tone !== 'plain' ? `\x1b[${CODES[tone]}m${text}\x1b[0m` : text;
  }
}

type Tone = 'plain' | 'good' | 'bad' | 'dim';

const CODES = { good: 32, bad: 31, dim: 2 } as const;

interface Line {
  readonly text: string;
  readonly tone: Tone;
}

function lines(happening: Happening): readonly Line[] {
  switch (happening.event) {
    case 'started':
      return [line(`network ${happening.network}, state in ${happening.state}`)];
    case 'manifest':
      return [line(`${happening.object} ${happening.change}`)];
    case 'refused':
      return [
        bad(`${happening.file} refused; what it said before stays in force`),
        ...happening.problems.map((text) => bad(`  ${text}`)),
      ];
    case 'warning':
      return happening.problems.map(bad);
    case 'condition':
      return [conditionLine(happening)];
    case 'event':
      return [eventLine(happening)];
    case 'pod':
      return [podLine(happening)];
    case 'service':
      return [line(`${happening.object} listens at ${happening.address}, UDP ${happening.ports.join(' and ')}`)];
    case 'failure':
      return [bad(happening.message)];
    case 'stopping':
      return [line('stopping: pods end in good order')];
    case 'stopped':
      return [line('stopped')];
  }
}

function conditionLine({ object, type, status, reason, message }: Extract<Happening, { event: 'condition' }>): Line {
  const text = `${object} ${type}=${status} ${reason}${message ? `: ${message}` : ''}`;
  if (type === 'Ready' && status === 'True') return { text, tone: 'good' };
  return type === 'Stalled' && status === 'True' ? bad(text) : line(text);
}

function eventLine({ object, type, reason, message, count }: Extract<Happening, { event: 'event' }>): Line {
  const text = `${object} ${reason}: ${message}${count > 1 ? ` (${count} times)` : ''}`;
  return type === 'Warning' ? bad(text) : line(text);
}

function podLine({ pod, change, address }: Extract<Happening, { event: 'pod' }>): Line {
  const text = `pod ${pod} ${change}${address ? ` at ${address}` : ''}`;
  return { text, tone: change === 'ready' ? 'good' : 'plain' };
}

function podRows(cluster: LocalCluster): readonly string[] {
  const pods = cluster.pods();
  if (pods.length === 0) return [];
  return [
    '',
    ...pods.map(({ name, ready, terminating, address, pid, restarts }) => {
      const state = terminating ? 'terminating' : ready ? 'ready' : 'not ready';
      return `  ${name.padEnd(20)} ${state.padEnd(12)} ${(address ?? '').padEnd(16)} pid ${`${pid ?? '-'}`.padEnd(8)} restarts ${restarts}`;
    }),
  ];
}

const line = (text: string): Line => ({ text, tone: 'plain' });
const bad = (text: string): Line => ({ text, tone: 'bad' });
