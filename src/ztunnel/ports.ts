/** Ports of the mesh in each pod's network namespace, and of the proxy itself. */
const OUTBOUND_PORT = 15001;
const INBOUND_PLAINTEXT_PORT = 15006;
export const HBONE_PORT = 15008;
export const SOCKS5_PORT = 15080;

/** Ports that no tunnel may lead to: a connection to one of them would come back to the proxy for ever. */
export const PROXY_PORTS: ReadonlySet<number> = new Set([OUTBOUND_PORT, INBOUND_PLAINTEXT_PORT, HBONE_PORT]);
