/** Names of domains, for split DNS (RFC 8598 §3.1). */
import { text } from './schema.ts';

export const domain = text(
  'a domain name',
  /^(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*$/,
  'write for instance corp.example.com, without a dot at the end',
);
