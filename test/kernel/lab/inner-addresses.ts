/** The inner addresses that a peer's machine has got, whatever interface it puts them on. */
import type { Machine } from '../../interop/lab/machine.ts';

/** @throws Error when it has none of a family. */
export async function innerAddresses(machine: Machine): Promise<{ ipv4: string; ipv6: string }> {
  const text = await machine.must('ip', '-o', 'address', 'show');
  const find = (pattern: RegExp, what: string): string => {
    const [, address] = pattern.exec(text) ?? [];
    if (address === undefined) throw new Error(`${machine.name} has no inner ${what} address:\n${text}`);
    return address;
  };
  return { ipv4: find(/inet (10\.8\.[\d.]+)/, 'IPv4'), ipv6: find(/inet6 (fd08:[\da-f:]+)/, 'IPv6') };
}
