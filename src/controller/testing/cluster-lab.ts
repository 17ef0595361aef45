/** Of a test, or of whoever cleans up. */
interface CleanUps {
  teardown(fn: () => unknown): void;
}
import type { JsonObject } from '#shared/config/json.ts';
import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import type { ControllerEndpoint } from '#shared/discovery/controller-channel.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { NAMESPACES, NODES, SERVICE_ACCOUNTS } from '#shared/kube/core-resources.ts';
import { LogLevels } from '#shared/observability/logger.ts';
import { createCsr } from '#shared/pki/csr.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { type Controller, type StartOptions, startController } from '../app.ts';
import { readConfig } from '../config.ts';
import { ApiServer } from './api-server.ts';
import { createPod, createToken, ensureObject } from './service-account.ts';

export const MESH_NAMESPACE = 'istio-system';

/** Controllers of a cluster, in this process, against an API server of their own. */
export class ClusterLab {
  readonly server: ApiServer;
  readonly #controllers = new Set<Controller>();

  private constructor(server: ApiServer) {
    this.server = server;
  }

  /** With a namespace for the mesh, one for an application, and two nodes with a ztunnel each. */
  static async start(t: CleanUps): Promise<ClusterLab> {
    // What a controller waits for does not keep a process alive.
    const alive = setInterval(() => undefined, 60_000);
    const lab = new ClusterLab(await ApiServer.start());
    t.teardown(async () => {
      clearInterval(alive);
      await lab.close();
    });
    const { client } = lab;
    for (const name of ['n1', 'n2']) await ensureObject(client, NODES, { metadata: { name } });
    for (const name of [MESH_NAMESPACE, 'shop'])
      await ensureObject(client, NAMESPACES, { metadata: { name } });
    await lab.account(MESH_NAMESPACE, 'ztunnel');
    return lab;
  }

  /** Cluster-admin. */
  get client(): KubeClient {
    return this.server.client;
  }

  account(namespace: string, name: string): Promise<void> {
    return ensureObject(this.client, SERVICE_ACCOUNTS, { metadata: { name, namespace } });
  }

  async controller(
    replica: string,
    options: StartOptions = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<Controller> {
    const config = readConfig({
      SOURCE: 'kubernetes',
      POD_NAME: replica,
      POD_NAMESPACE: MESH_NAMESPACE,
      XDS_ADDRESS: '127.0.0.1:15012',
      ADMIN_ADDR: 'off',
      STATS_ADDR: 'off',
      READINESS_ADDR: 'off',
      ...env,
    });
    const controller = await startController(
      { ...config, discovery: { ip: '127.0.0.1', port: 0 } },
      {
        connection: this.server.connectionAs(this.server.token),
        levels: new LogLevels('error'),
        ...options,
      },
    );
    this.#controllers.add(controller);
    return controller;
  }

  async stop(controller: Controller): Promise<void> {
    if (this.#controllers.delete(controller)) await controller.stop();
  }

  /** A ztunnel's pod on a node and the token that the kubelet would give it. */
  async ztunnelToken(node: string, audiences: readonly string[] = ['istio-ca']): Promise<string> {
    const name = `ztunnel-${node}`;
    const pod = await this.#pod(name, node).catch(() =>
      this.client.request({ path: `/api/v1/namespaces/${MESH_NAMESPACE}/pods/${name}` }),
    );
    return createToken(this.client, MESH_NAMESPACE, 'ztunnel', { audiences, pod });
  }

  endpoint(controller: Controller, token: string): ControllerEndpoint {
    return {
      address: `127.0.0.1:${controller.port}`,
      trustBundle: () => controller.trustBundle(),
      token: () => token,
      clusterId: 'Kubernetes',
    };
  }

  /** Asks for a certificate of `identity`. @returns the chain. Rejects with the CA's refusal. */
  async certificate(controller: Controller, token: string, identity: string): Promise<readonly string[]> {
    const id = parseSpiffeId(identity);
    const key = await generateKey(softwareProvider, false);
    return createCertificateClient(this.endpoint(controller, token)).createCertificate({
      csrPem: await createCsr(key, id),
      validitySeconds: 0,
      impersonatedIdentity: id,
    });
  }

  async close(): Promise<void> {
    for (const controller of this.#controllers) await this.stop(controller);
    await this.server.close();
  }

  #pod(name: string, node: string): Promise<JsonObject> {
    return createPod(this.client, { namespace: MESH_NAMESPACE, name, serviceAccount: 'ztunnel', node });
  }
}
