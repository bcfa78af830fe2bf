// Accounting: one bar per partition, from offset 0 to its end.

import { counted, h, number, replace, s } from './dom.js';
import { ask } from './server.js';

/** From bottom to top; a loss always has full height and is at least three pixels wide. */
const KINDS = [
  ['accounted', 'accounted for'],
  ['duplicate', 'duplicate'],
  ['dead', 'dead letter'],
  ['in_flight', 'in flight'],
  ['lost', 'missing'],
];
const WIDTH = 1200;
const HEIGHT = 16;

function words(cell) {
  const parts = KINDS.filter(([kind]) => cell[kind] > 0).map(([kind, name]) => `${number(cell[kind])} ${name}`);
  return `offsets ${number(cell.from)} to ${number(cell.to - 1)}: ${parts.join(', ')}`;
}

function cells(cell, end) {
  const x = (cell.from / end) * WIDTH;
  const width = ((cell.to - cell.from) / end) * WIDTH;
  const title = s('title', null, words(cell));
  if (cell.lost > 0) {
    const wide = Math.max(width, 6);
    return s('rect', { class: 'lost', x: Math.min(x, WIDTH - wide), y: 0, width: wide, height: HEIGHT }, title);
  }
  let top = HEIGHT;
  const parts = KINDS.filter(([kind]) => cell[kind] > 0).map(([kind]) => {
    // Rare kinds stay visible.
    const height = Math.max((cell[kind] / (cell.to - cell.from)) * HEIGHT, kind === 'accounted' ? 0 : 4);
    top -= height;
    return s('rect', { class: kind, x, y: Math.max(0, top), width: width + 0.5, height });
  });
  return s('g', null, title, parts);
}

function bar(partition) {
  const { bar: parts, end } = partition;
  // Losses are drawn last, on top.
  const ordered = [...parts].sort((a, b) => Math.sign(a.lost) - Math.sign(b.lost));
  const spoken = KINDS.filter(([kind]) => partition[kind] > 0).map(([kind, name]) => `${number(partition[kind])} ${name}`);
  return s('svg', { class: 'bar', role: 'img', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'shape-rendering': 'crispEdges', 'aria-label': `0 to ${number(end)}: ${spoken.join(', ') || 'empty'}` },
    s('rect', { class: 'nothing', width: WIDTH, height: HEIGHT }), ordered.map((cell) => cells(cell, end)));
}

function line(partition) {
  const data = { 'data-topic': partition.topic, 'data-partition': partition.partition, 'data-end': partition.end,
    'data-accounted': partition.accounted, 'data-duplicate': partition.duplicate, 'data-dead': partition.dead,
    'data-in-flight': partition.in_flight, 'data-lost': partition.lost };
  const count = (kind, name) => h('td', { class: `number count ${partition[kind] > 0 ? kind : 'zero'}`, 'data-name': name, role: 'cell' }, number(partition[kind]));
  return h('tr', { ...data, role: 'row' },
    h('th', { scope: 'row', class: 'partition', role: 'rowheader' }, `/${partition.partition}`, partition.generation > 0 && ` (incarnation ${partition.generation})`),
    h('td', { class: 'drawn', role: 'cell' }, bar(partition), partition.holes.length > 0 && h('p', { class: 'holes' }, `missing: ${partition.holes.join(' ')}`)),
    h('td', { class: 'number', 'data-name': 'end', role: 'cell' }, number(partition.end)), count('duplicate', 'duplicate'), count('dead', 'dead'), count('in_flight', 'in flight'), count('lost', 'missing'));
}

const summed = (partitions, field) => partitions.reduce((total, partition) => total + partition[field], 0);

/** Losses first, then topics in flight, empty topics last. */
function rank([, partitions]) {
  if (summed(partitions, 'lost') > 0) return 0;
  if (summed(partitions, 'in_flight') > 0) return 1;
  return summed(partitions, 'end') > 0 ? 2 : 3;
}

function state(partitions) {
  const [lost, moving, end] = ['lost', 'in_flight', 'end'].map((field) => summed(partitions, field));
  if (lost > 0) return ['lost', `${counted(lost, 'offset')} missing`];
  if (moving > 0) return ['in_flight', `${number(moving)} in flight`];
  return end > 0 ? ['whole', 'complete'] : ['whole', 'empty'];
}

function topic([name, partitions]) {
  const [kind, said] = state(partitions);
  const [used, vacant] = [partitions.filter((one) => one.end > 0), partitions.filter((one) => one.end === 0)];
  const rest = used.length > 0 && vacant.length > 0 && h('tr', { role: 'row' },
    h('td', { class: 'vacant', colspan: 7, role: 'cell' }, `${vacant.map((one) => `/${one.partition}`).join(' ')} empty`));
  return h('tbody', { role: 'rowgroup' },
    h('tr', { class: 'topic', role: 'row' }, h('th', { scope: 'rowgroup', colspan: 7, role: 'rowheader' }, h('span', null, name), h('span', { class: `tag ${kind}` }, said))),
    used.map(line), rest);
}

function legend() {
  return h('ul', { class: 'legend', 'aria-label': 'Legend' }, KINDS.map(([kind, name]) =>
    h('li', null, s('svg', { viewBox: '0 0 14 14', width: 14, height: 14, 'aria-hidden': 'true' }, s('rect', { class: kind, width: 14, height: 14, rx: 3 })), name)));
}

/** The view. */
export function accounting(main) {
  const place = h('div', { id: 'partitions' });
  replace(main, h('section', { 'aria-labelledby': 'accounting-title' },
    h('h2', { id: 'accounting-title' }, 'Accounting of every message'),
    h('p', { class: 'lead' }, 'Each bar is a Kafka partition, from offset 0 to its end. An offset is missing when sink and loader are past it and it is not accounted for. ',
      h('code', null, 'pulseline heal'), ' repairs it from MongoDB or Kafka.'),
    legend(), place));
  return {
    async refresh() {
      const { partitions } = await ask('accounting');
      const names = [...new Set(partitions.map((partition) => partition.topic))];
      const head = ['partition', 'offsets', 'end', 'duplicate', 'dead', 'in flight', 'missing'];
      const topics = names.map((name) => [name, partitions.filter((partition) => partition.topic === name)]);
      const body = topics.sort((a, b) => rank(a) - rank(b)).map(topic);
      replace(place, names.length === 0
        ? h('p', { class: 'note' }, 'No partitions: nothing has been produced yet, or Kafka is unreachable.')
        : h('table', { class: 'partitions', role: 'table' }, h('caption', { class: 'unseen' }, 'Offsets by partition'),
          h('thead', null, h('tr', null, head.map((name, index) => h('th', { scope: 'col', class: index > 1 ? 'number' : null }, name)))), body));
    },
  };
}
