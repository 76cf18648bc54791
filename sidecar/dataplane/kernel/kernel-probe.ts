/** Whether this kernel does ESP in UDP: asked by installing a state that no packet will ever find, and removing it. By `ip xfrm` of iproute2. */
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { IP, ProgramError, run } from '../program.ts';
import type { Family } from './inner-network.ts';

export type KernelProbe = { readonly esp: true } | { readonly esp: false; readonly reason: string };

/** For documentation only (RFC 5737, RFC 3849): no peer has these. */
const ENDS = { 4: ['192.0.2.1', '192.0.2.2'], 6: ['2001:db8::1', '2001:db8::2'] } as const;
const ENCAPSULATION = 'encap espinudp 4500 4500 0.0.0.0';

/**
 * A machine that is short of something, and no word of the kernel on ESP. Taken for one, an agent that was killed for want of memory would come
 * back without the kernel, and remove all that this carries.
 */
const PASSING = /not done after|allocate memory|ENOMEM|temporarily unavailable|EAGAIN|EMFILE|ENFILE|No buffer space/;

/** IPv6 counts where there is any. @throws Error when the kernel cannot be asked just now */
export async function probeKernel(): Promise<KernelProbe> {
  const families: readonly Family[] = existsSync('/proc/net/if_inet6') ? [4, 6] : [4];
  for (const family of families) {
    const reason = await refusal(family);
    if (reason !== undefined) return { esp: false, reason };
  }
  return { esp: true };
}

async function refusal(family: Family): Promise<string | undefined> {
  const [source, destination] = ENDS[family];
  const id = `src ${source} dst ${destination} proto esp spi ${randomInt(256, 2 ** 32)}`;
  const key = `0x${randomBytes(20).toString('hex')}`;
  const add = `xfrm state add ${id} mode tunnel aead rfc4106(gcm(aes)) ${key} 128 ${ENCAPSULATION}\n`;
  try {
    // The key is none of the arguments, which are for everybody to see.
    await run(IP, ['-batch', '-'], add);
    await run(IP, ['xfrm', 'state', 'delete', ...id.split(' ')]);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    if (PASSING.test(error.text)) throw new Error(`the kernel could not be asked for ESP: ${error.text}`, { cause: error });
    return `ESP in UDP over IPv${family}: ${remedy(error.text, family)}`;
  }
}

function remedy(text: string, family: Family): string {
  if (/no such program/.test(text)) return text;
  if (/not permitted/.test(text)) return `${text}; the agent needs the capability NET_ADMIN`;
  if (/netlink socket/.test(text)) return `${text}; load the kernel module xfrm_user on the node (modprobe xfrm_user)`;
  if (/algorithm not found|not implemented|No such file/i.test(text))
    return `${text}; this kernel has no AES-GCM for IPsec: load gcm, ctr, aes and esp${family} on the node (modprobe)`;
  return `${text}; this kernel has no ESP: load the module esp${family} on the node (modprobe esp${family})`;
}
