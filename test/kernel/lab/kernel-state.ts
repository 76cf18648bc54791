/** What the kernel of a machine has of IPsec, read with `ip xfrm`: another program than ours. */
import type { Machine } from '../../interop/lab/machine.ts';

export interface State {
  readonly source: string;
  readonly destination: string;
  readonly spi: number;
  /** In UDP. */
  readonly encapsulated: boolean;
  /** As the kernel names it, with the length of its key in bits: `rfc4106(gcm(aes)) 288`. */
  readonly algorithms: readonly string[];
  readonly esn: boolean;
  readonly packets: number;
  readonly bytes: number;
}

export async function statesOf(machine: Machine): Promise<State[]> {
  const text = await machine.must('ip', '-s', 'xfrm', 'state');
  return text
    .split(/^(?=src )/m)
    .filter((block) => block.startsWith('src '))
    .map(stateOf);
}

/** How many policies of children, without those of sockets. */
export async function policiesOf(machine: Machine): Promise<number> {
  return (await machine.must('ip', 'xfrm', 'policy')).split('\n').filter((line) => /^\tdir /.test(line)).length;
}

function stateOf(block: string): State {
  const [, source = '', destination = ''] = /^src (\S+) dst (\S+)/.exec(block) ?? [];
  const current = /lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)/.exec(block);
  const algorithms = [...block.matchAll(/^\t(?:aead|enc|auth-trunc|auth) (\S+) 0x[\da-f]+ \((\d+) bits\)/gm)];
  return {
    source,
    destination,
    spi: Number(/spi (0x[\da-f]+)/.exec(block)?.[1]),
    encapsulated: block.includes('encap type espinudp'),
    algorithms: algorithms.map(([, name, bits]) => `${name} ${bits}`),
    esn: /flag .*\besn\b/.test(block),
    packets: Number(current?.[2]),
    bytes: Number(current?.[1]),
  };
}
