/** Port: whoever speaks EAP for the core. The shell puts the core's questions to it; an answer may take as long as a server far away takes. */
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';

export interface EapSpeaker {
  /** Questions of one conversation come one after another. Never rejects: what fails is an answer too. */
  answer(question: EapQuestion): Promise<EapAnswer>;
  /** Nobody will ask in this conversation again, whatever has become of it. Harmless for one that is over. */
  forget(conversation: string): void;
}
