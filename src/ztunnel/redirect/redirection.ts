import { runInNetns } from '#shared/native/netns.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { forgetMarks, keepMarks } from './accepted-marks.ts';
import {
  type AnswerRouting,
  type CaptureOptions,
  type CapturePorts,
  captureRuleset,
  drainRuleset,
  removeRuleset,
  type RulesetKind,
  TABLE,
} from './capture-rules.ts';
import { ensureLocalRoute, removeLocalRoute } from './local-route.ts';
import type { Nft } from './nft.ts';
import { mayHaveMarkedConnections } from './marked-connections.ts';
import { normalizedListing, shapeOfListing, shapeOfRuleset } from './ruleset-listing.ts';

/**
 * The capture rules of one pod's network namespace: loading, checking, removing. Calls on one namespace must not overlap.
 * All reject with an error that names what failed.
 */
export class Redirection {
  readonly #netnsFd: number;
  #options: CaptureOptions;
  readonly #nft: Nft;
  /**
   * How the kernel listed the rules right after they were loaded: what every later look is compared with. Versions of
   * nft word the same rules differently, so it cannot be a constant.
   */
  #loaded: string | undefined;
  #zones = true;
  /** The kernel takes rules that look for sockets. */
  #asksForSockets = true;
  /** Undefined: not looked at yet. */
  #answers: AnswerRouting | undefined;

  constructor(netnsFd: number, options: CaptureOptions, nft: Nft) {
    this.#netnsFd = netnsFd;
    this.#options = options;
    this.#nft = nft;
  }

  /** How answers of the application find the proxy; undefined before the rules were loaded. */
  get answers(): AnswerRouting | undefined {
    return this.#answers;
  }

  /** Loads the rules: all of them are in force when it resolves, or none. `repair` sees that the kernel lists them. */
  async load(): Promise<void> {
    this.#ensureRoute();
    this.#decideAnswers();
    this.#loaded = undefined;
    await this.#loadCapture();
  }

  /** Loads the rules and sees them in the kernel. */
  async apply(): Promise<void> {
    await this.load();
    this.#see(await this.#listing());
  }

  /**
   * Compares the kernel with what was loaded and puts right what differs. @returns what had to be repaired, if anything.
   * Rejects with `UnseenRulesError` when the kernel could not be asked: nothing has changed then.
   */
  async repair(): Promise<readonly string[]> {
    const repaired = this.#ensureRoute();
    const listing = await this.#listing().catch((cause: unknown) => {
      throw new UnseenRulesError(errorMessage(cause), { cause });
    });
    const before = this.#answers;
    repaired.push(...this.#decideAnswers());
    const isMeant = this.#answers === before;
    if (isMeant && this.#loaded === undefined && listing !== undefined) {
      this.#see(listing);
      return repaired;
    }
    if (listing === undefined) repaired.push(`table ${TABLE} was missing`);
    else if (this.#loaded !== undefined && listing !== this.#loaded)
      repaired.push(`table ${TABLE} was changed`);
    else if (isMeant) return repaired;
    await this.apply();
    return repaired;
  }

  /** Loads other rules, if these options make any. @returns whether they do. */
  async reconfigure(options: CaptureOptions): Promise<boolean> {
    const before = this.#ruleset();
    this.#options = options;
    if (this.#ruleset() === before) return false;
    await this.apply();
    return true;
  }

  /** Whether somebody's rules are there: ours, or those of an earlier or a later ztunnel. */
  async present(): Promise<boolean> {
    return (await this.#listing()) !== undefined;
  }

  /** New connections are no longer redirected, live ones go on. */
  async drain(): Promise<void> {
    await this.#load(drainRuleset(this.#kind(this.#zones)));
  }

  async remove(): Promise<void> {
    await this.#load(removeRuleset());
    const { sysctlDirectory } = this.#options;
    runInNetns(this.#netnsFd, () => {
      removeLocalRoute();
      if (sysctlDirectory !== undefined) forgetMarks(sysctlDirectory);
    });
  }

  /** For a namespace that another process may have captured. @returns whether there was something to remove. */
  async removeIfPresent(): Promise<boolean> {
    if (!(await this.present())) return false;
    await this.remove();
    return true;
  }

  /** Keeps a listing as what is to be there. Throws when it is not of these rules. */
  #see(listing: string | undefined): void {
    if (listing === undefined || !sameShape(listing, this.#ruleset())) {
      throw new Error(`the capture rules were loaded, but the kernel lists others in table ${TABLE}`);
    }
    this.#loaded = listing;
  }

  #ensureRoute(): string[] {
    return runInNetns(this.#netnsFd, ensureLocalRoute).map(name => `the ${name} was missing`);
  }

  #ruleset(): string {
    return captureRuleset(this.#options, this.#kind(this.#zones));
  }

  #kind(zones: boolean): RulesetKind {
    return { zones, answers: this.#answers ?? 'both' };
  }

  /** @returns what had been set to something else since it was last looked at. */
  #decideAnswers(): readonly string[] {
    const before = this.#answers;
    const { sysctlDirectory, ports } = this.#options;
    const directory = this.#asksForSockets ? sysctlDirectory : undefined;
    const { answers, set } = runInNetns(this.#netnsFd, () => decideAnswers(before, directory, ports));
    this.#answers = answers;
    return before === undefined || before === 'connection_mark' ? [] : set.map(name => `${name} was not 1`);
  }

  /**
   * A kernel that lacks what a ruleset needs (zones of connection tracking, rules that ask for sockets) refuses it, and captures with
   * the next one.
   */
  async #loadCapture(): Promise<void> {
    let refusal: unknown;
    for (const kind of kindsToTry(this.#kind(this.#zones))) {
      try {
        await this.#load(captureRuleset(this.#options, kind));
        this.#zones = kind.zones;
        this.#asksForSockets &&= kind.answers === this.#answers;
        this.#answers = kind.answers;
        return;
      } catch (cause) {
        // What all are refused for is none of that, and the first refusal says it.
        refusal ??= cause;
      }
    }
    throw refusal;
  }

  async #load(ruleset: string): Promise<void> {
    const { exitCode, stderr } = await this.#nft(this.#netnsFd, ['-f', '-'], ruleset);
    if (exitCode !== 0) throw new Error(`nft refused the rules: ${firstLine(stderr)}`);
  }

  /** Undefined when there is no such table. */
  async #listing(): Promise<string | undefined> {
    const args = ['-j', 'list', 'table', ...TABLE.split(' ')];
    const { exitCode, stdout, stderr } = await this.#nft(this.#netnsFd, args, '');
    if (exitCode === 0) return normalizedListing(stdout);
    if (stderr.includes('No such file or directory')) return undefined;
    throw new Error(`nft cannot list the rules: ${firstLine(stderr)}`);
  }
}

/** What the rules are now is not known. */
export class UnseenRulesError extends Error {
  override readonly name = 'UnseenRulesError';
}

/** What is wanted first. */
function kindsToTry({ answers, zones }: RulesetKind): readonly RulesetKind[] {
  const ways = [...new Set([answers, 'connection_mark'] as const)];
  return ways.flatMap(way => [...new Set([zones, false])].map(asZones => ({ answers: way, zones: asZones })));
}

/** In the namespace. That an older ztunnel has gone is looked for while it was there when last looked at. */
function decideAnswers(
  before: AnswerRouting | undefined,
  sysctlDirectory: string | undefined,
  { inboundHbone }: CapturePorts,
): { answers: AnswerRouting; set: readonly string[] } {
  if (sysctlDirectory === undefined) return { answers: 'connection_mark', set: [] };
  const { kept, set } = keepMarks(sysctlDirectory);
  if (!kept) return { answers: 'connection_mark', set };
  const isOlderGone = before === 'socket_mark' || !mayHaveMarkedConnections(inboundHbone);
  return { answers: isOlderGone ? 'socket_mark' : 'both', set };
}

function sameShape(listing: string, ruleset: string): boolean {
  const expected = shapeOfRuleset(ruleset);
  const seen = shapeOfListing(listing);
  return seen.chains === expected.chains && seen.rules === expected.rules;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] || 'no message';
}
