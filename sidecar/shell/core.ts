/** The protocol core as the shell sees it; `Gateway` is one. */
import type { Instant } from '../ike/sa.ts';
import type { Deadline, Input, Output } from '../ike/step.ts';

export interface Core {
  handle(input: Input, now: Instant): readonly Output[];
  deadline(): Deadline | undefined;
  counts(): { readonly halfOpen: number; readonly established: number };
}
