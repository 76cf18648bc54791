/** What is said of RADIUS servers: when one falls silent, when it is back, and what is lost for good. */
import type { Log } from '../process/log.ts';
import { RateLimit } from '../process/rate-limit.ts';
import type { RadiusObserver } from '../radius/observer.ts';
import type { Clock } from './clock.ts';

/** What is lost while a server is dead is lost session by session. */
const LOSSES_PER_MINUTE = 5;
const MINUTE_MS = 60_000;

export function radiusLog(log: Log, clock: Clock): RadiusObserver {
  const silent = new Set<string>();
  let unsaid = 0;
  const losses = new RateLimit(LOSSES_PER_MINUTE, MINUTE_MS);
  return {
    configured(servers) {
      for (const server of silent) if (!servers.includes(server)) silent.delete(server);
    },
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
    lost(records) {
      unsaid += records;
      if (losses.pass(clock()) === undefined) return;
      log.error({ records: unsaid }, 'accounting records are lost: no RADIUS server took them');
      unsaid = 0;
    },
  };
}
