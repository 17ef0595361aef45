import { Chromium, type Tab } from '../clients/chromium.ts';

/** A page of the dashboard in a browser, and what became of what it must not do. */
export interface BrowserPage {
  readonly tab: Tab;
  /** Waits until an expression holds in the page. Rejects with what is shown when it does not. */
  readonly until: (expression: string) => Promise<void>;
  /** What the page was kept from, by its own policy. */
  readonly violations: () => Promise<unknown>;
}

const DEADLINE_MS = 12_000;
const WATCH_VIOLATIONS = `globalThis.violations = [];
addEventListener('securitypolicyviolation', e => violations.push(e.effectiveDirective + ' ' + e.blockedURI));
addEventListener('error', e => violations.push(String(e.message)));
addEventListener('unhandledrejection', e => violations.push(String(e.reason)));`;

export async function openPage(
  browser: Chromium,
  url: string,
  size: { readonly width: number; readonly height: number } = { width: 1_280, height: 800 },
): Promise<BrowserPage> {
  const tab = await browser.openTab('about:blank');
  await tab.command('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: false });
  await tab.command('Page.addScriptToEvaluateOnNewDocument', { source: WATCH_VIOLATIONS });
  await tab.command('Page.navigate', { url });
  const until = async (expression: string): Promise<void> => {
    const shown = await tab.run(waiting(expression));
    if (shown !== true) throw new Error(`${expression} does not hold; the page shows: ${String(shown)}`);
  };
  return { tab, until, violations: () => tab.run('globalThis.violations') };
}

/** The protocol waits no longer than fifteen seconds for an answer. */
function waiting(expression: string): string {
  return `new Promise(resolve => {
    const late = setTimeout(() => done(document.body?.innerText.slice(0, 2000) ?? 'nothing'), ${DEADLINE_MS});
    const look = setInterval(() => { if (holds()) done(true); }, 50);
    const holds = () => { try { return Boolean(${expression}); } catch { return false; } };
    const done = value => { clearTimeout(late); clearInterval(look); resolve(value); };
  })`;
}
