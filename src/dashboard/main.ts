import { App } from './page/app.ts';

const KEPT = 'token';

/** The address that ambientctl prints holds the token once; it is kept for this origin, and taken out of the address. */
function takeToken(): string {
  const given = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (given === undefined) return localStorage.getItem(KEPT) ?? '';
  localStorage.setItem(KEPT, given);
  history.replaceState(null, '', '#/graph');
  return given;
}

const root = document.getElementById('page');
if (root !== null) new App(root, takeToken()).start();
