/**
 * The peer broke the protocol. `status` is what a server answers before it closes; `message` says what was wrong and is
 * fit for a log, but not for the peer (it may quote nothing of the message).
 */
export class BadMessage extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'BadMessage';
    this.status = status;
  }
}
