// Flow: counts, rates and backlog of each hop.

import { counted, h, number, rate, replace, s, seconds, table } from './dom.js';

const WIDE = 860;

/** Stations of the flow in order: stores, and the services between them. */
function stations({ status, rates, lost }) {
  const sum = (field) => status.flows.reduce((total, flow) => total + flow[field], 0);
  const [produced, stored, loaded] = ['produced', 'stored', 'loaded'].map(sum);
  const accounted = produced - sum('unaccounted');
  const [unstored, unloaded] = [Math.max(0, produced - stored), Math.max(0, stored - accounted - lost)];
  const lags = status.positions.map((position) => position.lag_seconds).filter((lag) => lag !== null);
  const topics = status.flows.filter((flow) => flow.produced > 0).length;
  const behind = (id, value, more) => ({ works: true, id, value, big: number(value), small: `behind${more}`, late: value > 0 });
  return [
    { name: 'generator', works: true, big: rates ? rate(rates.produced) : '–', small: 'sent', after: rates?.produced },
    { name: 'Kafka', id: 'produced', value: produced, big: number(produced), small: `in ${counted(topics, 'topic')}`, after: rates?.stored },
    { name: 'sink', ...behind('sink', unstored, ''), after: rates?.stored },
    { name: 'MongoDB', id: 'stored', value: stored, big: number(stored), small: 'stored', after: rates?.accounted },
    { name: 'loader', ...behind('loader', unloaded, lags.length > 0 ? ` · ${seconds(Math.max(...lags))}` : ''), after: rates?.accounted },
    { name: 'raw', id: 'loaded', value: loaded, big: number(loaded), small: 'loaded' },
    { name: 'stage', id: 'dirty', value: status.dirty_days, big: number(status.dirty_days), small: 'dirty days', late: status.dirty_days > 0 },
    { name: 'agg', id: 'refreshed', big: seconds(status.last_refresh_seconds), small: 'since refresh' },
  ];
}

function station({ x, y, width, height }, { name, works, id, value, big, small, late }) {
  const middle = x + width / 2;
  return s('g', { class: `station ${works ? 'works' : 'store'} ${late ? 'late' : ''}` },
    s('rect', { x, y, width, height, rx: works ? 30 : 8 }),
    s('text', { class: 'name', x: middle, y: y + 23 }, name),
    s('text', { class: 'big', x: middle, y: y + 47, id: id ? `flow-${id}` : null, 'data-value': value }, big),
    s('text', { class: 'small', x: middle, y: y + 65 }, small));
}

/** The branch of dead letters. */
function letterbox({ x, y, width }, status) {
  const text = counted(status.dead_letters, 'open dead letter');
  return s('g', { class: `letterbox ${status.dead_letters > 0 ? 'some' : ''}` },
    s('rect', { x, y, width, height: 32, rx: 8 }),
    s('text', { x: x + width / 2, y: y + 21, id: 'flow-letters', 'data-value': status.dead_letters }, text));
}

function arrow([x1, y1], [x2, y2], speed, isFlat) {
  const line = s('line', { class: speed > 0 ? 'arrow moves' : 'arrow', x1, y1, x2, y2, 'marker-end': 'url(#tip)' });
  if (!(speed > 0)) return line;
  return [line, isFlat
    ? s('text', { class: 'rate', x: (x1 + x2) / 2, y: y1 - 10 }, rate(speed))
    : s('text', { class: 'rate beside', x: x1 + 14, y: (y1 + y2) / 2 + 4 }, rate(speed))];
}

function tip() {
  return s('defs', null, s('marker', { id: 'tip', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto', markerUnits: 'userSpaceOnUse' },
    s('path', { d: 'M0 0l8 4-8 4z' })));
}

function flat(width, all, status) {
  const [gap, edge] = [46, 14];
  const size = (width - 2 - edge - gap * (all.length - 1)) / all.length;
  const places = all.map((_, index) => ({ x: 1 + index * (size + gap), y: 32, width: size, height: 80 }));
  const [sink, , loader, raw, , last] = places.slice(2);
  const middle = (place) => place.x + size / 2;
  const box = { x: middle(sink) + 24, y: 140, width: middle(loader) - middle(sink) - 48 };
  const frame = [
    s('rect', { class: 'frame', x: raw.x - edge, y: 1, width: last.x + size - raw.x + 2 * edge - 1, height: 178, rx: 12 }),
    s('text', { class: 'title', x: raw.x, y: 22 }, 'TimescaleDB'),
    s('path', { class: 'loop', d: `M${middle(raw)} 118v14H${middle(last)}v-14` }),
    s('text', { class: 'small', x: (middle(raw) + middle(last)) / 2, y: 153 }, 'the compactor refreshes changed days'),
    s('path', { class: 'aside', d: `M${middle(sink)} 115V156H${box.x - 4}`, 'marker-end': 'url(#tip)' }),
    s('path', { class: 'aside', d: `M${middle(loader)} 115V156H${box.x + box.width + 4}`, 'marker-end': 'url(#tip)' }),
  ];
  const arrows = places.slice(1).map((place, index) => arrow([places[index].x + size + 4, 72], [place.x - 4, 72], all[index].after, true));
  return { height: 180, parts: [frame, arrows, all.map((one, index) => station(places[index], one)), letterbox(box, status)] };
}

function upright(width, all, status) {
  const [size, gap, inset] = [Math.min(240, width - 110), 36, 14];
  const places = all.map((_, index) => ({ x: inset, y: 6 + index * (80 + gap) + (index > 4 ? 30 : 0), width: size, height: 80 }));
  const [raw, last] = [places.at(-3), places.at(-1)];
  const frame = [
    s('rect', { class: 'frame', x: 1, y: raw.y - 34, width: width - 2, height: last.y + 80 - raw.y + 48, rx: 12 }),
    s('text', { class: 'title end', x: width - 14, y: raw.y - 14 }, 'TimescaleDB'),
  ];
  const below = [inset + size / 2];
  const arrows = places.slice(1).map((place, index) => arrow([below[0], places[index].y + 84], [below[0], place.y - 4], all[index].after, false));
  const foot = last.y + 80 + 34;
  return { height: foot + 34, parts: [frame, arrows, all.map((one, index) => station(places[index], one)), letterbox({ x: 1, y: foot, width: width - 2 }, status)] };
}

function drawing(width, overview) {
  const all = stations(overview);
  const { height, parts } = (width >= WIDE ? flat : upright)(width, all, overview.status);
  const spoken = all.map((one) => `${one.name}: ${one.big} ${one.small}`).join('; ');
  return s('svg', { id: 'drawing', class: 'drawing', role: 'img', 'aria-label': `The flow. ${spoken}.`, viewBox: `0 0 ${width} ${height}`, width, height },
    tip(), parts);
}

function topics(status) {
  const of = (field, kind) => ({ name: field, kind, of: (flow) => number(flow[field]) });
  const name = { name: 'topic', of: (flow) => flow.topic };
  const unaccounted = { name: 'open', kind: 'number', of: (flow) => h('span', { class: flow.unaccounted > 0 ? 'open' : null }, number(flow.unaccounted)) };
  // Rarely used columns appear once they are not zero.
  const rare = ['void', 'erased'].filter((field) => status.flows.some((flow) => flow[field] > 0));
  const columns = [name, of('produced', 'number wide'), of('stored', 'number wide'), of('loaded', 'number'), of('duplicate', 'number wide'),
    of('dead', 'number'), rare.map((field) => of(field, 'number wide')), unaccounted].flat();
  const made = table('Messages by topic', columns, status.flows, 'No topics: Kafka is unreachable.');
  status.flows.forEach((flow, index) => {
    const row = made.querySelectorAll('tbody tr')[index];
    row.dataset.topic = flow.topic;
    for (const field of ['produced', 'stored', 'loaded', 'duplicate', 'dead', 'unaccounted']) row.dataset[field] = flow[field];
  });
  return made;
}

function streams(status) {
  const columns = [
    { name: 'collection', of: (position) => position.collection },
    { name: 'lag', kind: 'number', of: (position) => seconds(position.lag_seconds) },
    { name: 'moved', kind: 'number', of: (position) => `${seconds(position.moved_seconds)} ago` },
    { name: 'commits', kind: 'number', of: (position) => number(position.seq) },
    { name: 'epoch', kind: 'number wide', of: (position) => number(position.epoch) },
  ];
  if (status.positions.some((position) => !position.has_token)) {
    columns.push({ name: 'position', kind: 'wide', of: (position) => (position.has_token ? 'known' : 'first snapshot') });
  }
  return table('Loader positions', columns, status.positions, 'The loader has not started yet.');
}

/** The view. */
export function flow(main) {
  const [canvas, tables] = [h('div'), h('div', { class: 'pair' })];
  let last = null;
  const draw = () => {
    if (last) replace(canvas, drawing(Math.max(280, Math.floor(canvas.clientWidth)), last));
  };
  replace(main, h('section', { 'aria-labelledby': 'flow-title' },
    h('h2', { id: 'flow-title' }, 'Message flow'),
    h('p', { class: 'lead' }, 'Readings flow from the generator to the figures in agg. Rates are means over the last twelve seconds.'),
    h('div', { class: 'canvas' }, canvas), tables));
  new ResizeObserver(draw).observe(canvas);
  return {
    refresh(overview) {
      last = overview;
      draw();
      replace(tables, topics(overview.status), streams(overview.status));
    },
  };
}
