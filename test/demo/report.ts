/** What the demo shows: lines for people as it goes and a table at the end, or one JSON event per line. */
export interface Row {
  readonly step: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly facts: Readonly<Record<string, string | number>>;
}

export class Report {
  readonly #json: boolean;
  readonly #rows: Row[] = [];
  readonly #began = performance.now();

  constructor(json: boolean) {
    this.#json = json;
  }

  /** One event; `text` is what a person reads of it, undefined for what only machines want. */
  tell(event: string, fields: Readonly<Record<string, unknown>>, text?: string): void {
    if (this.#json) process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
    else if (text !== undefined) process.stdout.write(`${this.#clock()}  ${text}\n`);
  }

  say(text: string): void {
    this.tell('note', { text }, text);
  }

  step(title: string): void {
    if (!this.#json) process.stdout.write(`\n${this.#clock()}  == ${title}\n`);
  }

  done(row: Row): void {
    this.#rows.push(row);
    this.tell('step', { ...row }, `${row.passed ? 'ok' : 'FAILED'}  ${factsOf(row)}`);
  }

  /** Answers whether every step passed. */
  summary(steps: number): boolean {
    const failed = this.#rows.filter(({ passed }) => !passed).length;
    const passed = failed === 0 && this.#rows.length === steps;
    const totalMs = Math.round(performance.now() - this.#began);
    this.tell('summary', { passed, steps, done: this.#rows.length, totalMs });
    if (!this.#json) process.stdout.write(`\n${this.#table()}\n${verdict(passed, this.#rows.length, steps, totalMs)}\n`);
    return passed;
  }

  #table(): string {
    const width = Math.max(...this.#rows.map(({ step }) => step.length), 4);
    const line = ({ step, passed, ms, ...row }: Row) =>
      `${passed ? 'ok    ' : 'FAILED'}  ${step.padEnd(width)}  ${`${(ms / 1_000).toFixed(1)} s`.padStart(7)}  ${factsOf(row)}`;
    return this.#rows.map(line).join('\n');
  }

  #clock = (): string => `${((performance.now() - this.#began) / 1_000).toFixed(1).padStart(5)} s`;
}

const factsOf = ({ facts }: Pick<Row, 'facts'>): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

const verdict = (passed: boolean, done: number, steps: number, totalMs: number): string =>
  passed
    ? `all ${steps} steps passed in ${(totalMs / 1_000).toFixed(1)} s`
    : `FAILED: ${done} of ${steps} steps were tried, see above`;
