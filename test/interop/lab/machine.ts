/** A machine of the lab: a network namespace, cables to others, and the processes that run in it. */
import { type ChildProcess, execFile } from 'node:child_process';
import { join } from 'node:path';
import { Program } from './program.ts';
import { PATH } from './tools.ts';

const COMMAND_LIMIT_MS = 20_000;

export interface Output {
  readonly status: number;
  /** What it wrote to both streams. */
  readonly text: string;
}

export class Machine {
  readonly name: string;
  readonly #folder: string;
  readonly #programs: Program[] = [];
  readonly #processes: ChildProcess[] = [];

  private constructor(name: string, folder: string) {
    this.name = name;
    this.#folder = folder;
  }

  /** `folder` takes the logs of its processes. */
  static async create(name: string, folder: string): Promise<Machine> {
    await must('ip', ['netns', 'add', name]);
    await must('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return new Machine(name, folder);
  }

  /** Runs a command in it to its end; any status is an answer. */
  run(command: string, ...args: readonly string[]): Promise<Output> {
    return execute('nsenter', [`--net=/run/netns/${this.name}`, command, ...args]);
  }

  /** @throws Error when it fails, with what it wrote. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { status, text } = await this.run(command, ...args);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} on ${this.name} ended with ${status}:\n${text}`);
    return text;
  }

  /** A process that lives until it is ended, or until the scenario is over. */
  start(name: string, argv: readonly string[]): Program {
    const program = new Program(name, ['nsenter', `--net=/run/netns/${this.name}`, ...argv], join(this.#folder, `${name}.log`));
    this.#programs.push(program);
    return program;
  }

  /** A process of it that ends with it. */
  own(process: ChildProcess): void {
    this.#processes.push(process);
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    for (const process of this.#processes) process.kill('SIGKILL');
    await execute('ip', ['netns', 'delete', this.name]);
  }
}

/** A cable of one end in each of two machines, `undefined` being where the tests run. Addresses with prefix length. */
export async function connect(ends: readonly [End, End]): Promise<void> {
  const [left, right] = ends;
  const at = ({ machine }: End): string[] => (machine ? ['netns', machine.name] : []);
  await must('ip', ['link', 'add', left.device, ...at(left), 'type', 'veth', 'peer', 'name', right.device, ...at(right)]);
  for (const { machine, device, addresses } of ends) {
    const ip = (...args: readonly string[]) => must('ip', [...(machine ? ['-n', machine.name] : []), ...args]);
    for (const address of addresses)
      await ip('address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    await ip('link', 'set', device, 'up');
  }
}

export interface End {
  readonly machine: Machine | undefined;
  readonly device: string;
  readonly addresses: readonly string[];
}

export async function must(command: string, args: readonly string[]): Promise<string> {
  const { status, text } = await execute(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${text}`);
  return text;
}

function execute(command: string, args: readonly string[]): Promise<Output> {
  return new Promise((resolve) => {
    const options = { timeout: COMMAND_LIMIT_MS, env: { ...process.env, PATH }, maxBuffer: 2 ** 24 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
      const why = error && typeof error.code !== 'number' ? `${error.message}\n` : '';
      resolve({ status, text: `${why}${stdout}${stderr}` });
    });
  });
}
