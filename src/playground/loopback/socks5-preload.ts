import { captureConnections } from './capture-connect.ts';
import { listenOnPodAddress } from './pod-listen.ts';
import { podViewReader } from './pod-view.ts';

/**
 * Loaded with `node --import` into the programs of pods that share the machine's network namespace: they listen on their
 * pod's address and connect from it, through their ztunnel when they are in the mesh.
 */
function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: this program runs in no pod`);
  return value;
}

const podIp = required('POD_IP');
listenOnPodAddress(podIp);
captureConnections(podViewReader(podIp, required('AMBIENT_HOSTS'), required('AMBIENT_LOOPBACK')));
