// SVG charts: one frame for all, gaps while not worn, a tooltip on every mark, and the values as a table.

import { h, s } from './dom.js';

const MARGIN = { top: 14, right: 20, bottom: 26, left: 54 };
const HEIGHT = 220;

/** A round scale around `from` and `to`, with steps such as 5, 10, 20, 50. */
function rounded(from, to) {
  const span = Math.max(to - from, 1);
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const low = Math.floor(from / step) * step;
  const high = Math.max(Math.ceil(to / step) * step, low + step);
  return { low, high, step };
}

/**
 * Columns of equal width with a scale at the left. `ticks` are [index, text]; `gaps` are [from, to, text] in columns.
 * `marks(scale)` gives the drawing; scale.x(index) is the left edge of a column, scale.wide its width, scale.y a height.
 */
export function frame({ width, columns, from, to, ticks, gaps = [], marks, title, unit }) {
  const { low, high, step } = rounded(from, to);
  const [inner, tall] = [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const scale = {
    wide: inner / columns,
    x: (index) => MARGIN.left + (inner / columns) * index,
    y: (value) => MARGIN.top + tall * (1 - (value - low) / (high - low)),
    bottom: MARGIN.top + tall,
    top: MARGIN.top,
  };
  const lines = [];
  for (let value = low; value <= high + step / 2; value += step) {
    lines.push(s('line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: scale.y(value), y2: scale.y(value) }),
      s('text', { class: 'tick', x: MARGIN.left - 8, y: scale.y(value) + 4, 'text-anchor': 'end' }, Number(value.toFixed(6)).toLocaleString('en-US')));
  }
  const below = ticks.map(([index, text]) =>
    s('text', { class: 'tick', x: scale.x(index), y: HEIGHT - 8, 'text-anchor': 'middle' }, text));
  const empty = gaps.map(([start, end, text]) =>
    s('rect', { class: 'gap', x: scale.x(start), y: scale.top, width: scale.x(end) - scale.x(start), height: tall }, s('title', null, text)));
  return s('svg', { class: 'chart', role: 'img', 'aria-label': `${title}, in ${unit}. The table below lists the values.`, viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT },
    s('defs', null, s('pattern', { id: 'hatch', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
      s('line', { class: 'hatch', x1: 0, y1: 0, x2: 0, y2: 7 }))),
    empty, lines, marks(scale), below);
}

/** Runs of adjacent indices with a value; a line breaks between them. */
export function runs(values) {
  const found = [];
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    const last = found.at(-1);
    if (last && last.at(-1) === index - 1) last.push(index);
    else found.push([index]);
  });
  return found;
}

/** Runs of columns without a value, as [from, to, text]. */
export function gaps(values, name) {
  const none = values.map((value) => (value === null || value === undefined ? 1 : null));
  return runs(none).map((run) => [run[0], run.at(-1) + 1, name(run[0], run.at(-1))]);
}

/** A line through the middles of columns, broken at gaps; a single value is a dot. */
export function line(scale, values, kind) {
  const point = (index) => `${scale.x(index + 0.5).toFixed(1)} ${scale.y(values[index]).toFixed(1)}`;
  return runs(values).map((run) => (run.length === 1
    ? s('circle', { class: `${kind} dot`, cx: scale.x(run[0] + 0.5), cy: scale.y(values[run[0]]), r: 3 })
    : s('path', { class: kind, d: `M${run.map(point).join('L')}` })));
}

/** The area between least and greatest, broken at gaps. */
export function band(scale, low, high, kind) {
  return runs(low).filter((run) => run.length > 1).map((run) => {
    const up = run.map((index) => `${scale.x(index + 0.5).toFixed(1)} ${scale.y(high[index]).toFixed(1)}`);
    const down = [...run].reverse().map((index) => `${scale.x(index + 0.5).toFixed(1)} ${scale.y(low[index]).toFixed(1)}`);
    return s('path', { class: kind, d: `M${up.join('L')}L${down.join('L')}Z` });
  });
}

/** Stacked bars; parts is a list of [values, class]. */
export function bars(scale, parts) {
  const room = Math.min(scale.wide * 0.16, 6);
  return parts[0][0].map((_, index) => {
    let below = 0;
    return parts.map(([values, kind]) => {
      const value = values[index];
      if (!value) return null;
      const [top, bottom] = [scale.y(below + value), scale.y(below)];
      below += value;
      return s('rect', { class: kind, x: scale.x(index) + room, width: scale.wide - 2 * room, y: top, height: bottom - top, rx: Math.min(2, scale.wide / 8) });
    });
  });
}

/** Tooltips by column. */
export function titles(scale, texts) {
  return texts.map((text, index) =>
    s('rect', { class: 'hover', x: scale.x(index), y: scale.top, width: scale.wide, height: scale.bottom - scale.top }, s('title', null, text)));
}

/** A chart with its heading and legend, and its values as an accessible table. */
export function figure({ id, title, unit, legend = [], head, rows, draw }) {
  const place = h('div', { class: 'plot' });
  const paint = () => {
    const width = Math.max(260, Math.floor(place.clientWidth));
    place.replaceChildren(draw(width));
  };
  new ResizeObserver(paint).observe(place);
  const key = legend.map(([kind, name]) =>
    h('li', null, s('svg', { viewBox: '0 0 14 14', width: 14, height: 14, 'aria-hidden': 'true' }, s('rect', { class: kind, width: 14, height: 14, rx: 3 })), name));
  const values = h('details', null, h('summary', null, 'Values'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${title}: values` },
    h('table', null, h('caption', { class: 'unseen' }, title), h('thead', null, h('tr', null, head.map((name, index) => h('th', { scope: 'col', class: index > 0 ? 'number' : null }, name)))),
      h('tbody', null, rows.map((row) => h('tr', null, row.map((cell, index) => (index === 0 ? h('th', { scope: 'row' }, cell) : h('td', { class: 'number' }, cell)))))))));
  return h('figure', { id, class: 'figure', 'data-rows': rows.length },
    h('figcaption', null, h('h3', null, title), h('span', { class: 'unit' }, unit)), key.length > 0 && h('ul', { class: 'legend' }, key), place, values);
}
