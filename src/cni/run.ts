import type { AdmissionRequest } from '#shared/cni/admission.ts';
import type { Environment } from '#shared/config/env-reader.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { admitPod } from './admit-pod.ts';
import { askZtunnel } from './ask-ztunnel.ts';
import { CniError, CniErrorCode } from './cni-error.ts';
import {
  addressesOf,
  NEWEST_VERSION,
  parseConfig,
  type PluginConfig,
  type PodArgs,
  podOf,
  SUPPORTED_VERSIONS,
} from './invocation.ts';

export interface CniCall {
  readonly env: Environment;
  /** The network configuration. */
  readonly stdin: string;
  readonly clock: Clock;
}

/** What the program prints, and ends with. */
export interface CniOutcome {
  readonly stdout: string;
  readonly exitCode: 0 | 1;
}

/** Longer than ztunnel gives itself. */
const ANSWER_MS = 12_000;
/** What is gone is found out by ztunnel itself: nothing waits for it. */
const FAREWELL_MS = 1_000;

/** One call of the container runtime. CNI specification 1.1.0, section 2. Never rejects. */
export async function runPlugin(call: CniCall): Promise<CniOutcome> {
  try {
    return { stdout: await execute(call), exitCode: 0 };
  } catch (error) {
    const code = error instanceof CniError ? error.code : CniErrorCode.refused;
    const msg = `ambient-cni: ${errorMessage(error)}`;
    return { stdout: JSON.stringify({ cniVersion: versionIn(call.stdin), code, msg }), exitCode: 1 };
  }
}

async function execute({ env, stdin, clock }: CniCall): Promise<string> {
  const command = env['CNI_COMMAND'] ?? '';
  switch (command) {
    case 'VERSION':
      return JSON.stringify({ cniVersion: NEWEST_VERSION, supportedVersions: SUPPORTED_VERSIONS });
    case 'ADD':
      return add(parseConfig(stdin), env, clock);
    case 'CHECK':
      return check(parseConfig(stdin), env, clock);
    case 'DEL':
      // A sandbox that cannot be taken down would keep its node from ever getting rid of the pod.
      await farewell(stdin, env, clock).catch(() => undefined);
      return '';
    case 'GC':
    // A node whose ztunnel is away must stay ready: ztunnel itself needs it to start.
    case 'STATUS':
      return '';
    default:
      throw new CniError(
        CniErrorCode.invalidEnvironment,
        `CNI_COMMAND ${JSON.stringify(command)} is not one of ADD, DEL, CHECK, GC, STATUS, VERSION`,
      );
  }
}

async function add(config: PluginConfig, env: Environment, clock: Clock): Promise<string> {
  const { prevResult } = config;
  if (prevResult === undefined) {
    throw new CniError(
      CniErrorCode.invalidConfig,
      'prevResult is missing: the plugin must come after one that makes the network',
    );
  }
  const pod = podOf(env);
  if (pod !== undefined) {
    const request = requestOf('add', pod, config, env);
    const { api, excludedNamespaces } = config;
    await admitPod({
      pod,
      failOpen: config.failOpen,
      excludedNamespaces,
      askZtunnel: () => askZtunnel(config.socket, request, clock, ANSWER_MS),
      askApiServer: async () => {
        if (api === undefined) throw new Error('the API server is not configured');
        // It is rarely needed, and half of what the plugin's start would take.
        const { askApiServer } = await import('./ask-api-server.ts');
        return askApiServer(api, pod, excludedNamespaces, clock);
      },
      clock,
    });
  }
  return JSON.stringify({ ...prevResult, cniVersion: config.cniVersion });
}

/** A ztunnel that is away says nothing against the pod. */
async function check(config: PluginConfig, env: Environment, clock: Clock): Promise<string> {
  const pod = podOf(env);
  if (pod === undefined) return '';
  const request = requestOf('check', pod, config, env);
  const answer = await askZtunnel(config.socket, request, clock, ANSWER_MS).catch(() => undefined);
  if (answer?.ok === false) throw new CniError(CniErrorCode.refused, answer.reason);
  return '';
}

async function farewell(stdin: string, env: Environment, clock: Clock): Promise<void> {
  const config = parseConfig(stdin);
  const pod = podOf(env);
  if (pod === undefined) return;
  await askZtunnel(config.socket, requestOf('del', pod, config, env), clock, FAREWELL_MS);
}

function requestOf(
  command: AdmissionRequest['command'],
  pod: PodArgs,
  config: PluginConfig,
  env: Environment,
): AdmissionRequest {
  return { command, ...pod, netns: env['CNI_NETNS'] ?? '', ips: addressesOf(config.prevResult) };
}

/** In an error, the version of the configuration as far as it can be told. */
function versionIn(stdin: string): string {
  const found = /"cniVersion"\s*:\s*"([0-9.]{1,16})"/.exec(stdin)?.[1];
  return found ?? NEWEST_VERSION;
}
