// The compactor: the plan of its next cycle, and its journal.

import { h, moment, number, replace, seconds, table } from './dom.js';
import { ask } from './server.js';

function plan(lines) {
  return h('div', null, h('h3', null, 'Plan of the next cycle'),
    h('ol', { class: 'plan', id: 'plan', 'data-lines': lines.length }, lines.map((line) => h('li', null, line))));
}

function days({ first_day: first, last_day: last }) {
  if (!first) return '–';
  return first === last || !last || last < first ? first : `${first} to ${last}`;
}

function journal(entries) {
  const columns = [
    { name: 'started (UTC)', of: (entry) => moment(entry.started_at) },
    { name: 'task', of: (entry) => entry.task },
    { name: 'relation', of: (entry) => entry.relation },
    { name: 'days', kind: 'wide whole', of: days },
    { name: 'reason', kind: 'wide words', of: (entry) => entry.reason },
    { name: 'rows', kind: 'number', of: (entry) => number(entry.rows) },
    { name: 'duration', kind: 'number', of: (entry) => seconds(entry.seconds) },
  ];
  const made = table('Journal, newest first', columns, entries, 'The compactor has not run yet.');
  made.id = 'journal';
  made.dataset.newest = entries[0]?.id ?? '';
  return made;
}

/** The view. */
export function compactor(main) {
  const place = h('div', { class: 'stack' });
  replace(main, h('section', { 'aria-labelledby': 'compactor-title' },
    h('h2', { id: 'compactor-title' }, 'Compactor'),
    h('p', { class: 'lead' }, 'The compactor refreshes the days that changed and compresses old chunks. The plan is the output of ',
      h('code', null, 'pulseline compact --dry-run'), '.'),
    place));
  return {
    async refresh() {
      const found = await ask('compactor');
      replace(place, plan(found.plan), journal(found.journal));
    },
  };
}
