/** Congestion control of a connection: how much its sender lets be under way, and when. tcp(7) TCP_CONGESTION */
export interface CongestionPolicy {
  /** From the first packet on. */
  readonly algorithm: string;
  /** In its place where the first round trip was a long one. Undefined: `algorithm` whatever the path. */
  readonly onLongPath: string | undefined;
}

/** `auto`, `node` (what the kernel uses by itself), or an algorithm by its name. */
export type CongestionSetting = string;

/** What the kernel has. */
export interface CongestionControls {
  /** Of sockets for which nobody chooses; '' when it cannot be told. */
  readonly usual: string;
  /** For messages: names, separated by blanks. */
  readonly available: string;
  /** Whether this process may use it. */
  has(algorithm: string): boolean;
}

/** Beyond a datacenter. Below it a pause between bursts is shorter than what setting its timer costs. */
const LONG_PATH_US = 3_000;

/** In order of preference. Every kernel has the last, for everybody. */
const UNPACED = ['cubic', 'reno'];

/**
 * Of tunnels between proxies. Where the node uses `bbr`, a sender pauses after every 64 KiB at most, which takes a timer each
 * time. That pays on long paths. Within a datacenter it costs a fifth of the CPU time of bulk, and 10 µs for each hop of a
 * request: there `auto` lets tunnels go without it. What the administrator has chosen otherwise stays.
 * @returns undefined: as the kernel does by itself. Also for a name that the kernel does not have
 */
export function tunnelCongestion(
  setting: CongestionSetting,
  kernel: CongestionControls,
): CongestionPolicy | undefined {
  if (setting === 'node') return undefined;
  if (setting !== 'auto')
    return kernel.has(setting) ? { algorithm: setting, onLongPath: undefined } : undefined;
  if (!kernel.usual.startsWith('bbr')) return undefined;
  const algorithm = UNPACED.find(name => kernel.has(name));
  return algorithm === undefined ? undefined : { algorithm, onLongPath: kernel.usual };
}

/** @param roundTripUs of the handshake of TCP; 0: it is not known, since packets of it were lost */
export function isLongPath(roundTripUs: number): boolean {
  return roundTripUs === 0 || roundTripUs >= LONG_PATH_US;
}
