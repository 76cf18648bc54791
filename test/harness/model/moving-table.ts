/** SAs that are bytes between one input and the next, as if each had just come from another pod. */
import type { IkeSa } from '../../../sidecar/ike/sa.ts';
import { decodeSa, encodeSa } from '../../../sidecar/ike/sa-encoding.ts';
import { SaTable } from '../../../sidecar/ike/sa-table.ts';

export class MovingTable extends SaTable {
  override put(sa: IkeSa): void {
    super.put(decodeSa(encodeSa(sa)));
  }
}
