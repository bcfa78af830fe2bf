// A person's day, week or month.

import { band, bars, figure, frame, gaps, line, titles } from './charts.js';
import { decimal, h, hours, number, replace } from './dom.js';
import { ask } from './server.js';

const SPANS = ['day', 'week', 'month'];
const DAY_MS = 86_400_000;
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

// Dates are in the wearer's local time. They are computed in UTC, so that the viewer's time zone does not shift them.
const date = (text) => new Date(`${text}T00:00Z`);
const text = (day) => day.toISOString().slice(0, 10);
const moved = (from, days) => text(new Date(date(from).getTime() + days * DAY_MS));

/** First and last day of the span around a day. */
export function range(span, day) {
  if (span === 'day') return [day, day];
  const at = date(day);
  if (span === 'week') {
    const monday = moved(day, -((at.getUTCDay() + 6) % 7));
    return [monday, moved(monday, 6)];
  }
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  return [text(new Date(Date.UTC(year, month, 1))), text(new Date(Date.UTC(year, month + 1, 0)))];
}

/** The next or previous span. */
function step(span, day, by) {
  if (span === 'day') return moved(day, by);
  if (span === 'week') return moved(day, 7 * by);
  const at = date(day);
  return text(new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + by, 1)));
}

function named(span, [from, to]) {
  const [first, last] = [date(from), date(to)];
  const day = (at) => `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
  if (span === 'month') return `${MONTHS[first.getUTCMonth()]} ${first.getUTCFullYear()}`;
  if (span === 'week') return `${day(first)} to ${day(last)} ${last.getUTCFullYear()}`;
  return `${first.toLocaleDateString('en-GB', { weekday: 'long', timeZone: 'UTC' })}, ${day(first)} ${first.getUTCFullYear()}`;
}

const least = (values, otherwise) => values.reduce((low, value) => (value === null || value === undefined ? low : Math.min(low, value)), otherwise);
const most = (values, otherwise) => values.reduce((high, value) => (value === null || value === undefined ? high : Math.max(high, value)), otherwise);
const HOURS = [0, 6, 12, 18, 24].map((hour) => [hour * 4, `${String(hour).padStart(2, '0')}:00`]);
const BEAT = [['heart', 'mean'], ['spread', 'minimum to maximum'], ['gapkey', 'not worn']];
const STAGES = [['deep', 'deep'], ['light', 'light'], ['rem', 'REM'], ['asleep', 'asleep'], ['wake', 'awake or restless']];

/** The 96 quarter hours of a day; the later pass wins when autumn repeats an hour. */
function quarters(found) {
  const all = Array.from({ length: 96 }, (_, index) => ({ at: `${String(Math.floor(index / 4)).padStart(2, '0')}:${String((index % 4) * 15).padStart(2, '0')}` }));
  for (const quarter of found) {
    const [hour, minute] = quarter.at.split(':').map(Number);
    all[hour * 4 + Math.floor(minute / 15)] = quarter;
  }
  return all;
}

function heartOfDay(all) {
  const [mean, low, high] = ['bpm', 'bpm_min', 'bpm_max'].map((field) => all.map((quarter) => quarter[field] ?? null));
  const until = (index) => all[index + 1]?.at ?? '24:00';
  const said = all.map((quarter) => (quarter.bpm ? `${quarter.at}: ${decimal(quarter.bpm)} (${quarter.bpm_min} to ${quarter.bpm_max}), worn ${quarter.minutes_worn} min` : `${quarter.at}: not worn`));
  const worn = all.filter((quarter) => quarter.bpm);
  return figure({ id: 'heart', title: 'Heart rate', unit: 'beats per minute, by 15 minutes', legend: BEAT,
    head: ['time', 'mean', 'minimum', 'maximum', 'minutes worn'],
    rows: worn.map((quarter) => [quarter.at, decimal(quarter.bpm), quarter.bpm_min, quarter.bpm_max, quarter.minutes_worn]),
    draw: (width) => frame({ width, columns: 96, from: least(low, 50), to: most(high, 100), ticks: HOURS, title: 'Heart rate', unit: 'beats per minute',
      gaps: gaps(mean, (from, to) => `not worn from ${all[from].at} to ${until(to)}`),
      marks: (scale) => [band(scale, low, high, 'spread'), line(scale, mean, 'heart'), titles(scale, said)] }) });
}

function stepsOfDay(all) {
  const steps = all.map((quarter) => quarter.steps ?? null);
  const walked = all.filter((quarter) => quarter.steps > 0);
  return figure({ id: 'steps', title: 'Steps', unit: 'per 15 minutes', head: ['time', 'steps'],
    rows: walked.map((quarter) => [quarter.at, number(quarter.steps)]),
    draw: (width) => frame({ width, columns: 96, from: 0, to: most(steps, 100), ticks: HOURS, title: 'Steps', unit: 'steps per 15 minutes',
      marks: (scale) => [bars(scale, [[steps, 'steps']]), titles(scale, all.map((quarter) => `${quarter.at}: ${number(quarter.steps ?? null)} steps`))] }) });
}

/** Every day of the span, with its figures. */
function daysOf([from, to], found) {
  const days = [];
  for (let day = from; day <= to; day = moved(day, 1)) {
    const nights = found.nights.filter((night) => night.date === day);
    const sum = (field) => (nights.some((night) => night[field] !== null) ? nights.reduce((total, night) => total + (night[field] ?? 0), 0) : null);
    const restless = sum('restless');
    const wake = sum('wake');
    const staged = { deep: sum('deep'), light: sum('light'), rem: sum('rem'), asleep: sum('asleep'), wake: wake === null && restless === null ? null : (wake ?? 0) + (restless ?? 0) };
    days.push({ date: day, ...found.days.find((known) => known.date === day), nights, ...staged, minutes_asleep: sum('minutes_asleep') });
  }
  return days;
}

function dayTicks(days) {
  const every = days.length > 10 ? 5 : 1;
  const name = (day) => (days.length > 10 ? String(date(day.date).getUTCDate()) : date(day.date).toLocaleDateString('en-GB', { weekday: 'short', timeZone: 'UTC' }));
  return days.map((day, index) => [index + 0.5, name(day), index]).filter(([, , index]) => index % every === 0);
}

const isWorn = (day) => (day.minutes_worn > 0 ? 1 : null);
const unworn = (days) => gaps(days.map(isWorn), (from, to) => (from === to ? `${days[from].date}: not worn` : `${days[from].date} to ${days[to].date}: not worn`));

function heartOfDays(days) {
  const [low, high, mean] = ['bpm_min', 'bpm_max', 'bpm_avg'].map((field) => days.map((day) => day[field] ?? null));
  const said = days.map((day) => (isWorn(day) ? `${day.date}: mean ${decimal(day.bpm_avg)}, ${day.bpm_min} to ${day.bpm_max}, worn ${hours(day.minutes_worn)}` : `${day.date}: not worn`));
  const ranges = (scale) => days.map((day, index) => (day.bpm_avg ? spread(scale, index, day) : null));
  return figure({ id: 'heart', title: 'Heart rate', unit: 'beats per minute, by day', legend: BEAT, head: ['day', 'mean', 'minimum', 'maximum', 'worn'],
    rows: days.filter(isWorn).map((day) => [day.date, decimal(day.bpm_avg), number(day.bpm_min), number(day.bpm_max), hours(day.minutes_worn)]),
    draw: (width) => frame({ width, columns: days.length, from: least(low, 50), to: most(high, 100), ticks: dayTicks(days), gaps: unworn(days), title: 'Heart rate', unit: 'beats per minute',
      marks: (scale) => [ranges(scale), line(scale, mean, 'heart'), titles(scale, said)] }) });
}

/** Minimum to maximum of a day as a column. */
function spread(scale, index, day) {
  const wide = Math.min(scale.wide * 0.5, 18);
  return bars({ wide, x: () => scale.x(index + 0.5) - wide / 2, y: (value) => scale.y(value === 0 ? day.bpm_min : value + day.bpm_min) }, [[[day.bpm_max - day.bpm_min], 'spread']]);
}

function stepsOfDays(days) {
  const steps = days.map((day) => day.steps ?? null);
  return figure({ id: 'steps', title: 'Steps', unit: 'by day', legend: [['steps', 'steps'], ['gapkey', 'not worn']], head: ['day', 'steps', 'worn'],
    rows: days.filter((day) => (day.steps ?? null) !== null).map((day) => [day.date, number(day.steps), hours(day.minutes_worn)]),
    draw: (width) => frame({ width, columns: days.length, from: 0, to: most(steps, 1000), ticks: dayTicks(days), gaps: unworn(days), title: 'Steps', unit: 'steps per day',
      marks: (scale) => [bars(scale, [[steps, 'steps']]), titles(scale, days.map((day) => `${day.date}: ${number(day.steps)} steps, worn ${hours(day.minutes_worn ?? 0)}`))] }) });
}

function sleep(days) {
  const parts = STAGES.map(([kind]) => [days.map((day) => (day[kind] === null ? null : day[kind] / 60)), kind]);
  const total = days.map((day) => STAGES.reduce((sum, [kind]) => sum + (day[kind] ?? 0), 0));
  const said = (day, index) => (total[index] === 0 ? `${day.date}: no sleep`
    : `${day.date}: ${STAGES.filter(([kind]) => day[kind]).map(([kind, name]) => `${name} ${hours(day[kind])}`).join(', ')}`);
  const slept = days.filter((_, index) => total[index] > 0);
  return figure({ id: 'sleep', title: 'Sleep', unit: 'hours by stage, on the day the sleep ended', legend: STAGES, head: ['day', ...STAGES.map(([, name]) => name), 'total asleep'],
    rows: slept.map((day) => [day.date, ...STAGES.map(([kind]) => hours(day[kind])), hours(day.minutes_asleep)]),
    draw: (width) => frame({ width, columns: days.length, from: 0, to: Math.max(8, most(total, 0) / 60), ticks: dayTicks(days), title: 'Sleep', unit: 'hours',
      marks: (scale) => [bars(scale, parts), titles(scale, days.map(said))] }) });
}

function resting(days) {
  const [now, usual] = ['resting_bpm', 'resting_bpm_28d'].map((field) => days.map((day) => day[field] ?? null));
  const said = days.map((day) => `${day.date}: ${decimal(day.resting_bpm)}${(day.resting_bpm_28d ?? null) === null ? '' : `, usual ${decimal(day.resting_bpm_28d)} from ${day.resting_bpm_days_28d} days`}`);
  const all = [...now, ...usual];
  return figure({ id: 'resting', title: 'Resting heart rate', unit: 'beats per minute, with the mean of the previous 28 days', legend: [['resting', 'the day'], ['usual', 'usual']],
    head: ['day', 'resting', 'usual', 'baseline days'],
    rows: days.filter((day) => (day.resting_bpm ?? null) !== null).map((day) => [day.date, decimal(day.resting_bpm), decimal(day.resting_bpm_28d), number(day.resting_bpm_days_28d)]),
    draw: (width) => frame({ width, columns: days.length, from: least(all, most(all, 60)) - 1, to: most(all, 60) + 1, ticks: dayTicks(days), title: 'Resting heart rate', unit: 'beats per minute',
      marks: (scale) => [line(scale, usual, 'usual'), line(scale, now, 'resting'), titles(scale, said)] }) });
}

/** Each sleep as text and a bar. */
function nights(found) {
  const one = (night) => {
    const stages = [...STAGES.slice(0, 4), ['wake', 'awake'], ['restless', 'restless']].filter(([kind]) => night[kind]);
    const all = stages.reduce((sum, [kind]) => sum + night[kind], 0);
    return h('li', null, h('p', null, h('strong', null, night.main_sleep ? 'Night' : 'Nap'), ` ${night.start.slice(11, 16)} to ${night.end.slice(11, 16)}, asleep ${hours(night.minutes_asleep)}`),
      all > 0 && h('div', { class: 'stages', role: 'img', 'aria-label': stages.map(([kind, name]) => `${name} ${hours(night[kind])}`).join(', ') },
        stages.map(([kind, name]) => {
          const part = h('span', { class: `stage ${kind === 'restless' ? 'wake' : kind}`, title: `${name} ${hours(night[kind])}` });
          part.style.flexGrow = String(night[kind]);
          return part;
        })),
      h('p', { class: 'unit' }, stages.map(([kind, name]) => `${name} ${hours(night[kind])}`).join(' · ')));
  };
  return h('section', { class: 'figure', id: 'nights', 'aria-labelledby': 'nights-title' }, h('h3', { id: 'nights-title' }, 'Sleep that ended on this day'),
    found.length > 0 ? h('ul', { class: 'nights' }, found.map(one)) : h('p', { class: 'unit' }, 'None.'));
}

function tiles(days) {
  const [day] = days;
  const tile = (name, value, more) => h('div', { class: 'tile' }, h('dt', null, name), h('dd', null, value, more && h('small', null, more)));
  const usual = (day.resting_bpm_28d ?? null) === null ? 'no baseline yet' : `usual ${decimal(day.resting_bpm_28d)}`;
  return h('dl', { class: 'tiles' }, tile('worn', hours(day.minutes_worn ?? 0)), tile('steps', number(day.steps ?? null)),
    tile('heart rate', decimal(day.bpm_avg ?? null), (day.bpm_min ?? null) === null ? null : `${day.bpm_min} to ${day.bpm_max}`),
    tile('resting', decimal(day.resting_bpm ?? null), usual), tile('asleep', hours(day.minutes_asleep)));
}

/** The view. */
export function person(main) {
  const [controls, place] = [h('div', { class: 'filters' }), h('div', { class: 'figures' })];
  let [people, route, drawn] = [[], [], null];
  replace(main, h('section', { 'aria-labelledby': 'person-title' },
    h('h2', { id: 'person-title' }, 'A person’s days'),
    h('p', { class: 'lead' }, 'From stage and agg, in the wearer’s local time. Time not worn is a gap, not a zero.'), controls, place));
  const address = (user, day, span) => `#person/${encodeURIComponent(user)}/${day}/${span}`;
  const go = (user, day, span) => { location.hash = address(user, day, span); };

  function choose(chosen, day, span) {
    const option = (one) => h('option', { value: one.user, selected: one.user === chosen.user }, `${one.user.slice(0, 8)} · ${one.zone ?? 'no zone'} · ${one.devices === 1 ? '1 device' : `${one.devices} devices`}`);
    const other = (event) => {
      const next = people.find((one) => one.user === event.target.value);
      go(next.user, next.last && (day > next.last || day < next.first) ? next.last : day, span);
    };
    const spanLink = (name) => h('a', { href: address(chosen.user, day, name), 'aria-current': name === span ? 'true' : null, 'data-key': name }, name);
    replace(controls,
      h('p', { class: 'field' }, h('label', { for: 'who' }, 'Person'), h('select', { id: 'who', 'data-key': 'who', onchange: other }, people.map(option))),
      h('p', { class: 'field' }, h('label', { for: 'day' }, 'Day'), h('input', { id: 'day', 'data-key': 'day', type: 'date', value: day, min: chosen.first, max: chosen.last,
        onchange: (event) => event.target.value && go(chosen.user, event.target.value, span) })),
      h('nav', { class: 'spans', 'aria-label': 'Span' }, SPANS.map(spanLink)),
      h('p', { class: 'steps-nav' }, h('a', { class: 'button', href: address(chosen.user, step(span, day, -1), span), 'data-key': 'back', 'aria-label': `previous ${span}` }, '←'),
        h('a', { class: 'button', href: address(chosen.user, step(span, day, 1), span), 'data-key': 'on', 'aria-label': `next ${span}` }, '→')));
  }

  async function draw(key) {
    people = (await ask('people')).people;
    if (people.length === 0) {
      replace(place, h('p', { class: 'note' }, 'No people yet: profiles arrive with the first uploads.'));
      return;
    }
    const [user, wanted, asked] = route;
    const chosen = people.find((one) => one.user === user) ?? people[0];
    const span = SPANS.includes(asked) ? asked : 'day';
    const day = /^\d{4}-\d\d-\d\d$/.test(wanted ?? '') ? wanted : chosen.last;
    if (!day) {
      replace(place, h('p', { class: 'note' }, 'This person has no readings yet.'));
      return;
    }
    choose(chosen, day, span);
    const [from, to] = range(span, day);
    const found = await ask('person', { user: chosen.user, from, to });
    // The user has navigated on.
    if (drawn !== key) return;
    const days = daysOf([from, to], found);
    const title = h('h3', { class: 'span-title', id: 'span' }, named(span, [from, to]));
    if (span === 'day') replace(place, title, tiles(days), heartOfDay(quarters(found.quarters)), stepsOfDay(quarters(found.quarters)), nights(found.nights));
    else replace(place, title, heartOfDays(days), stepsOfDays(days), sleep(days), resting(days));
  }
  return {
    route(rest) {
      route = rest;
      drawn = null;
    },
    /** Draws once per address: past figures seldom change, and the reader keeps their scroll position. */
    async refresh() {
      const key = route.join('/');
      if (drawn === key) return;
      drawn = key;
      try {
        await draw(key);
      } catch (error) {
        if (drawn === key) drawn = null;
        throw error;
      }
    },
  };
}
