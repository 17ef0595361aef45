import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { workloadService } from '#shared/workload/workload-service.ts';
import { type GatewayAddress, type Service, serviceName, type Workload } from '#shared/workload/workload.ts';

/** Whether an address is that of this waypoint. */
export type IsOurs = (address: GatewayAddress) => boolean;

/** Adds to what the mesh tells the workloads whose own traffic this waypoint takes, as services. */
export class WorkloadServices {
  readonly #isOurs: IsOurs;
  /** Names of those that are there, by uid. */
  readonly #names = new Map<string, string>();

  constructor(isOurs: IsOurs) {
    this.#isOurs = isOurs;
  }

  addTo(delta: MeshDelta): MeshDelta {
    const services: Service[] = [];
    const gone: string[] = [];
    const leave = (uid: string): void => {
      const name = this.#names.get(uid);
      if (name !== undefined) gone.push(name);
      this.#names.delete(uid);
    };
    for (const uid of delta.removedWorkloads) leave(uid);
    const workloads = delta.workloads.map(workload => {
      if (!this.#takes(workload)) {
        leave(workload.uid);
        return workload;
      }
      const service = workloadService(workload);
      services.push(service);
      this.#names.set(workload.uid, serviceName(service));
      return withService(workload, service);
    });
    if (services.length + gone.length === 0) return delta;
    return {
      ...delta,
      workloads,
      services: [...delta.services, ...services],
      removedServices: [...delta.removedServices, ...gone],
    };
  }

  /** Several of a host's network share one address: who is meant by it is not known. */
  #takes({ networkMode, waypoint }: Workload): boolean {
    return waypoint !== undefined && networkMode !== 'host_network' && this.#isOurs(waypoint);
  }
}

function withService(workload: Workload, service: Service): Workload {
  return { ...workload, services: new Map([...workload.services, [serviceName(service), service.ports]]) };
}
