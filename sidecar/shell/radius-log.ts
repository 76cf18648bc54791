/** What is said of RADIUS servers: when one falls silent, when it is back, and what is lost for good. */
import type { Log } from '../process/log.ts';
import type { RadiusObserver } from '../radius/observer.ts';

export function radiusLog(log: Log): RadiusObserver {
  const silent = new Set<string>();
  return {
    answered: () => {},
    unanswered: () => {},
    dropped: (server, reason) => log.debug({ server, reason }, 'a RADIUS packet was dropped'),
    passedOver(server, yes) {
      if (yes === silent.has(server)) return;
      if (yes) {
        silent.add(server);
        log.warn({ server }, 'the RADIUS server does not answer; the next one is asked');
      } else {
        silent.delete(server);
        log.info({ server }, 'the RADIUS server answers again');
      }
    },
    lost: (records) => log.error({ records }, 'accounting records are lost: no RADIUS server took them'),
  };
}
