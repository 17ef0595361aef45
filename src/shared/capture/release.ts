/** On the DaemonSet of node proxies: every pod of every node shall leave the mesh, before anything is deleted. */
export const RELEASE_ANNOTATION = 'ambient.mesh/release';
