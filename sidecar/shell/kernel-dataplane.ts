/** The kernel carries packets, as the agent tells it: the sockets of the NAT port leave ESP to it, and the agent programs what becomes of that. */
import type { Problem } from '../contract/agent-protocol.ts';
import { AgentDataplane } from '../dataplane/agent/agent-dataplane.ts';
import type { AgentLink } from './agent-link.ts';
import { loadEspInUdp } from './esp-in-udp.ts';
import type { DataplaneOptions, GatewayDataplane } from './gateway-dataplane.ts';

/** An agent that is stuck must not keep us from ending. */
const FAREWELL_MS = 1_000;
const BEHIND: Problem = {
  severity: 'blocking',
  text: 'the agent is being told of the children that there are; this takes a moment',
};

type Carrier = Omit<GatewayDataplane, 'kind'>;

export function kernelDataplane({ udp, active, changed, failed }: DataplaneOptions, agent: AgentLink): Carrier {
  let isUpToDate = false;
  let strays = 0;
  let socketProblem: string | undefined;
  const kernel = new AgentDataplane({
    connection: () => agent.connection,
    ...{ active, failed },
    available(is) {
      isUpToDate = is;
      changed();
    },
  });
  return {
    port: {
      order: (order) => kernel.order(order),
      reports: () => kernel.reports(),
      settle: () => kernel.settle(),
      stats() {
        const { drops, ...stats } = kernel.stats();
        return { ...stats, drops: { ...drops, 'past-kernel': strays } };
      },
      traffic: (spiIn) => kernel.traffic(spiIn),
      close: () => kernel.close(),
      receive() {
        strays++;
        return 'past-kernel';
      },
    },
    problems() {
      if (socketProblem !== undefined) return [{ severity: 'blocking', text: socketProblem }];
      return agent.present && !isUpToDate ? [BEHIND] : [];
    },
    async open() {
      socketProblem = await leaveEspToKernel(udp.natDescriptors);
      agent.use(kernel);
    },
    configure: () => {},
    async close() {
      // What was removed last is gone from the kernel before we are.
      await Promise.race([kernel.settle(), new Promise((resolve) => setTimeout(resolve, FAREWELL_MS).unref())]);
      kernel.close();
    },
  };
}

/** What is in the way of it, with its remedy. */
async function leaveEspToKernel(descriptors: readonly number[] | undefined): Promise<string | undefined> {
  try {
    const leave = await loadEspInUdp();
    if (!descriptors) return 'the kernel cannot be given ESP on this platform; write dataplane: userspace in dataplane.yaml';
    for (const descriptor of descriptors) leave(descriptor);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
