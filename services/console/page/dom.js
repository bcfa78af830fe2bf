// Elements and number formats. Data becomes text nodes, never markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** 1889227 as 1,889,227. */
export function number(value) {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en-US');
}

/** One decimal place, when it is not zero. */
export function decimal(value, digits = 1) {
  return value === null || value === undefined ? '–' : value.toFixed(digits);
}

/** `1 message`, `2 messages`. */
export function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Messages per second. */
export function rate(value) {
  if (value === null || value === undefined) return '';
  return `${value > 0 && value < 10 ? value.toFixed(1) : number(value)}/s`;
}

/** A duration in the largest unit that fits. */
export function seconds(value) {
  if (value === null || value === undefined) return '–';
  if (value < 0.1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86400) return `${Math.floor(value / 3600)} h`;
  return `${Math.floor(value / 86400)} d`;
}

/** Minutes as 7 h 05. */
export function hours(minutes) {
  if (minutes === null || minutes === undefined) return '–';
  const whole = Math.round(minutes);
  return whole < 60 ? `${whole} min` : `${Math.floor(whole / 60)} h ${String(whole % 60).padStart(2, '0')}`;
}

/** An instant in the viewer's time zone. */
export function clock(millis) {
  return new Date(millis).toLocaleTimeString('en-GB');
}

/** Date and time of an instant in UTC; a line may break between them only. */
export function moment(instant) {
  const [day, time] = new Date(instant).toISOString().slice(0, 19).split('T');
  return [h('span', { class: 'whole' }, day), ' ', h('span', { class: 'whole' }, time)];
}

/**
 * A table. Columns: { name, of, kind }. Kind `number` aligns right, `wide` hides the column on narrow screens.
 * `of` returns a text or an element.
 */
export function table(caption, columns, rows, empty) {
  const kind = (column) => column.kind ?? null;
  const head = h('tr', null, columns.map((column) => h('th', { scope: 'col', class: kind(column) }, column.name)));
  const line = (row) => h('tr', null, columns.map((column, index) =>
    h(index === 0 ? 'th' : 'td', { class: kind(column), scope: index === 0 ? 'row' : null }, column.of(row))));
  const body = rows.length > 0 ? rows.map(line) : h('tr', null, h('td', { colspan: columns.length, class: 'empty' }, empty));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', null, h('caption', null, caption), h('thead', null, head), h('tbody', null, body)));
}

/** Replaces an element's children and keeps the keyboard focus. */
export function replace(element, ...children) {
  const focused = document.activeElement;
  const key = element.contains(focused) ? focused.getAttribute('data-key') : null;
  element.replaceChildren(...children.flat(9).filter(Boolean));
  if (key !== null) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}
