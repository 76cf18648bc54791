/** All inputs of a run and what came of them, byte for byte, so that two runs can be compared. */
import { hash } from 'node:crypto';
import { encodeCbor } from '../../../sidecar/ike/wire/cbor.ts';
import type { World } from '../world.ts';

export class Transcript {
  readonly lines: string[] = [];

  /** Adds itself to whoever watches already. */
  constructor(world: World) {
    const { watch } = world;
    world.watch = (node, input, outputs) => {
      for (const output of outputs)
        if (output.type === 'event' && output.event.name === 'internal-error') throw output.event.error;
      const digest = hash('sha1', encodeCbor(outputs as never));
      const kinds = outputs.map((output) => (output.type === 'event' ? output.event.name : output.type));
      this.lines.push(`${world.now} ${node.name} ${input.type} -> ${kinds.join(' ')} ${digest}`);
      watch(node, input, outputs);
    };
  }
}
