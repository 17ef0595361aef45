import { eventually } from './eventually.ts';
import { apply, exec, getField } from './kubectl.ts';
import { inNamespace, pod } from './objects.ts';

const NAMESPACE = 'kube-system';
const READY_DEADLINE_MS = 30_000;
const MOUNT = '/node';

/** Files below a directory of a node, by a pod that has it mounted. */
export class NodeFiles {
  readonly #pod: string;

  private constructor(podName: string) {
    this.#pod = podName;
  }

  /** The pod stays for the next test. */
  static async open(node: string, directory: string): Promise<NodeFiles> {
    const name = `e2e-files-${node}-${directory.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}`;
    const spec = { volumes: [{ name: 'node', hostPath: { path: directory } }] };
    const container = {
      volumeMounts: [{ name: 'node', mountPath: MOUNT }],
      securityContext: { runAsUser: 0 },
    };
    await apply(inNamespace(NAMESPACE, pod(name, { node, container, spec })));
    await eventually(`${name} runs`, READY_DEADLINE_MS, async () => {
      const phase = await getField(NAMESPACE, 'pod', name, '.status.phase');
      return phase === 'Running' ? true : phase;
    });
    return new NodeFiles(name);
  }

  async list(): Promise<readonly string[]> {
    return (await this.#run(`ls ${MOUNT}`)).split('\n').filter(name => name !== '');
  }

  read(name: string): Promise<string> {
    return this.#run(`cat ${MOUNT}/${name}`);
  }

  /** In one step, as whoever writes such files does. */
  async write(name: string, text: string): Promise<void> {
    const encoded = Buffer.from(text).toString('base64');
    await this.#run(`echo ${encoded} | base64 -d > ${MOUNT}/.e2e && mv ${MOUNT}/.e2e ${MOUNT}/${name}`);
  }

  async remove(name: string): Promise<void> {
    await this.#run(`rm ${MOUNT}/${name}`);
  }

  async #run(script: string): Promise<string> {
    const { status, stdout, stderr } = await exec(NAMESPACE, this.#pod, ['sh', '-c', script]);
    if (status !== 0) throw new Error(`${script}: ${stderr.trim()}`);
    return stdout;
  }
}
