/** Socket addresses as they stand in a path: `192.0.2.1:4500`, `[2001:db8::1]:4500`. */
export const formatEndpoint = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** The inverse, of what formatEndpoint or the core made. */
export function splitEndpoint(endpoint: string): { readonly address: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':');
  const bracketed = endpoint.startsWith('[');
  return {
    address: bracketed ? endpoint.slice(1, colon - 1) : endpoint.slice(0, colon),
    port: Number(endpoint.slice(colon + 1)),
  };
}
