import type { Frame } from '#shared/dashboard/frames.ts';
import { detailFrame } from '../frames/detail-frame.ts';
import { graphFrame } from '../frames/graph-frame.ts';
import type { MeshLabel } from '../frames/head.ts';
import {
  policiesFrame,
  problemsFrame,
  proxiesFrame,
  servicesFrame,
  workloadsFrame,
} from '../frames/table-frames.ts';
import type { MeshPicture } from '../mesh-watch.ts';

/** Makes the frame of a view, whenever there is something new. */
export type View = (picture: MeshPicture, label: MeshLabel) => Frame;

/** Which view a page asks for. @returns what is wrong with it, for who asked */
export function readView(query: URLSearchParams): View | string {
  const by = query.get('by') === 'workload' ? 'workload' : 'service';
  const view = query.get('view');
  const scope = { namespace: query.get('namespace') ?? '', filter: query.get('filter') ?? '' };
  switch (view) {
    case 'graph':
      return (picture, label) => graphFrame(picture, label, { by, ...scope });
    case 'detail': {
      const name = query.get('name') ?? '';
      return (picture, label) => detailFrame(picture, label, { by, name });
    }
    case 'services':
      return (picture, label) => servicesFrame(picture, label, scope);
    case 'workloads':
      return (picture, label) => workloadsFrame(picture, label, scope);
    case 'proxies':
      return (picture, label) => proxiesFrame(picture, label, scope);
    case 'policies':
      return (picture, label) => policiesFrame(picture, label, scope);
    case 'problems':
      return (picture, label) => problemsFrame(picture, label, scope);
    default:
      return 'view is not known; use graph, detail, services, workloads, proxies, policies or problems';
  }
}
