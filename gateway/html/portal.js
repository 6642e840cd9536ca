// The portal's only script: health lights, links from mails, what a local run adds (portal.json), and copy
// buttons. It asks nobody but this gateway.
'use strict';

const POLL_MS = 5000;

async function checkHealth(light) {
  const answer = await fetch(`/health/${light.dataset.health}`, { cache: 'no-store' }).catch(() => null);
  const up = answer !== null && answer.ok;
  light.className = `light ${up ? 'up' : 'down'}`;
  light.setAttribute('aria-label', up ? 'ready' : 'not ready');
  light.title = up ? 'ready' : 'not ready';
}

function checkAll() {
  if (!document.hidden) document.querySelectorAll('[data-health]').forEach(checkHealth);
}

function showLocal(local) {
  const section = document.getElementById('local');
  for (const link of section.querySelectorAll('[data-link]')) {
    link.hidden = !local[link.dataset.link];
    link.href = local[link.dataset.link] ?? '';
  }
  const rows = Object.entries(local.demo ?? {}).map(([role, login]) => {
    const row = document.createElement('tr');
    const name = document.createElement('td');
    name.append(role);
    row.append(name, cell(login.email), cell(login.password));
    return row;
  });
  section.querySelector('tbody').replaceChildren(...rows);
  section.hidden = false;
}

function cell(text) {
  const td = document.createElement('td');
  const code = document.createElement('code');
  code.append(text);
  td.append(code);
  return td;
}

function inDays(days) {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

function fillIn(local) {
  const values = {
    'https://localhost:8443': location.origin + (local?.ca ? `\nexport CURL_CA_BUNDLE='${local.ca}'` : ''),
    'guest@nexus.example': local?.demo?.guest?.email ?? 'you@example.com',
    'host@nexus.example': local?.demo?.host?.email ?? 'you@example.com',
    'admin@nexus.example': local?.demo?.admin?.email ?? 'you@example.com',
    HOST_PASSWORD: local?.demo?.host?.password ?? 'your password',
    ADMIN_PASSWORD: local?.demo?.admin?.password ?? 'your password',
    PASSWORD: local?.demo?.guest?.password ?? 'your password',
    CHECK_IN: inDays(30),
    CHECK_OUT: inDays(32),
    DAY_AFTER: inDays(33),
  };
  for (const pre of document.querySelectorAll('pre')) {
    pre.textContent = Object.entries(values).reduce((text, [name, value]) => text.replaceAll(name, () => value), pre.textContent);
  }
}

function addCopyButton(pre) {
  const button = document.createElement('button');
  button.type = 'button';
  button.append('Copy');
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  const frame = document.createElement('div');
  frame.className = 'copyable';
  pre.replaceWith(frame);
  frame.append(pre, button);
}

// /problems/dates_unavailable is this page, opened at that entry.
function openProblem() {
  const slug = location.pathname.split('/')[2];
  if (slug && document.getElementById(slug)) location.replace(`#${slug}`);
}

// Mails lead to /#verify-email?token=…, /#reset-password?token=… and, by way of the service, /#unsubscribe?…: behind the
// #, so that no log ever sees the token. Each with its title, and the call that its button makes.
const MAILED = {
  'verify-email': ['Verify your e-mail address', () => '/api/v1/auth/verify-email'],
  'reset-password': ['Set a new password', () => '/api/v1/auth/reset-password'],
  unsubscribe: ['Stop the mails about this saved search', (given) =>
    `/api/v1/saved-searches/${encodeURIComponent(given.get('saved_search'))}/unsubscribe?token=${encodeURIComponent(given.get('token'))}`],
};

function openMailedLink() {
  const [action, query] = location.hash.slice(1).split('?');
  if (!Object.hasOwn(MAILED, action)) return;
  history.replaceState(null, '', '/');
  const section = document.getElementById('mailed');
  const form = section.querySelector('form');
  const password = form.elements.password;
  const given = new URLSearchParams(query);
  const [title, call] = MAILED[action];
  section.querySelector('h3').append(title);
  password.required = action === 'reset-password';
  password.parentElement.hidden = !password.required;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = { token: given.get('token'), ...(password.required && { password: password.value }) };
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(call(given), { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => null);
    const problem = answer?.ok ? null : await answer?.json().catch(() => null);
    section.querySelector('[role=status]').textContent = answer?.ok ? 'Done.' : problem?.detail ?? 'No answer: try again.';
  });
  section.hidden = false;
}

async function start() {
  openProblem();
  document.querySelectorAll('pre').forEach(addCopyButton);
  checkAll();
  setInterval(checkAll, POLL_MS);
  document.addEventListener('visibilitychange', checkAll);
  if (!document.getElementById('local')) return;
  openMailedLink();
  const answer = await fetch('/portal.json').catch(() => null);
  const local = answer?.ok ? await answer.json() : null;
  fillIn(local);
  if (local) showLocal(local);
}

start();
