/** Why a system call failed, in the words of its manual. */
import { constants } from 'node:os';

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
// Where Linux has two names for one reason, manuals use these.
NAMES.set(constants.errno.EAGAIN, 'EAGAIN').set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');
// Of Linux, where Node has no name: what reading answers once a TUN device was removed.
NAMES.set(77, 'EBADFD');

/** For instance EPERM, of a number above 0; a reason without a name is told by its number. */
export const errnoName = (errno: number): string => NAMES.get(errno) ?? `errno ${errno}`;
