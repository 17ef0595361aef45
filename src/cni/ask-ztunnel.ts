import { createConnection } from 'node:net';
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  formatAdmissionRequest,
  MAX_ADMISSION_BYTES,
  parseAdmissionAnswer,
} from '#shared/cni/admission.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';

/** Asks the node's ztunnel once. Rejects when none is there, or it has not answered within `deadlineMs`. */
export function askZtunnel(
  path: string,
  request: AdmissionRequest,
  clock: Clock,
  deadlineMs: number,
): Promise<AdmissionAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const fail = (reason: string): void => {
      timer.cancel();
      socket.destroy();
      reject(new Error(reason));
    };
    const timer = clock.setTimer(deadlineMs, () => fail(`ztunnel has not answered within ${deadlineMs} ms`));
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.end(formatAdmissionRequest(request)));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ADMISSION_BYTES) fail("ztunnel's answer is too long");
    });
    socket.on('error', error => fail(`no ztunnel answers at ${path}: ${error.message}`));
    socket.on('close', () => {
      try {
        const answer = parseAdmissionAnswer(text);
        timer.cancel();
        resolve(answer);
      } catch {
        fail(`ztunnel at ${path} has ended without an answer`);
      }
    });
  });
}
