/** What a check needs cannot be had where the playground runs: the check is skipped, with this reason. */
export class NotOnThisMachine extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotOnThisMachine';
  }
}
