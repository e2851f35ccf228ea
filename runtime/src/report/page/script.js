// Charts of the report: line charts that can be zoomed (wheel), moved (drag), reset (double click) and read (hover), and
// boundaries over training with a slider. No library, no network.
'use strict';
const made = (name, attributes, parent) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.appendChild(element);
  return element;
};
const shown = (x) => x === 0 ? '0' : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? x.toExponential(1) : String(+x.toPrecision(4));
const steps = (low, high, count) => {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw), found = [];
  for (let x = Math.ceil(low / step) * step; x <= high + step * 1e-9; x += step) found.push(Math.abs(x) < step * 1e-9 ? 0 : x);
  return found;
};
function lines(place, chart) {
  const key = document.createElement('div'), hover = document.createElement('div'), frame = document.createElement('div');
  key.className = 'key'; hover.className = 'hover'; frame.className = 'chart';
  for (const one of chart.series) {
    const item = document.createElement('span'), mark = document.createElement('i');
    mark.style.background = one.colour; item.append(mark, one.name); key.append(item);
  }
  place.append(key, frame, hover);
  const floor = 2 ** -16, up = (y) => chart.log ? Math.log2(Math.max(y, floor)) : y;
  const all = chart.series.flatMap((s) => s.points);
  const xs = all.map((p) => p[0]), whole = [Math.min(...xs), Math.max(...xs)];
  if (whole[0] === whole[1]) whole[1] += 1;
  let view = [...whole], box = null;
  const draw = () => {
    frame.replaceChildren();
    const width = Math.max(frame.clientWidth, 260), height = Math.min(360, 160 + width * 0.2), left = 54, bottom = 36;
    const svg = made('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': chart.title }, frame);
    const seen = all.filter((p) => p[0] >= view[0] && p[0] <= view[1]).flatMap((p) => [up(p[1] - (p[2] || 0)), up(p[1] + (p[2] || 0))]);
    let low = Math.min(...seen), high = Math.max(...seen);
    if (!(high > low)) { low -= 1; high += 1; }
    const x = (v) => left + (v - view[0]) / (view[1] - view[0]) * (width - left - 14);
    const y = (v) => 10 + (high - v) / (high - low) * (height - bottom - 10);
    for (const v of steps(low, high, 5)) {
      made('line', { x1: left, x2: width - 14, y1: y(v), y2: y(v), class: 'grid' }, svg);
      made('text', { x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, svg).textContent = chart.log ? `2^${shown(v)}` : shown(v);
    }
    for (const v of steps(view[0], view[1], Math.max(2, width / 140)))
      made('text', { x: x(v), y: height - bottom + 16, 'text-anchor': 'middle' }, svg).textContent = shown(v);
    made('text', { x: (left + width) / 2, y: height - 4, 'text-anchor': 'middle', class: 'soft' }, svg).textContent = chart.x;
    for (const one of chart.series) {
      const points = one.points.filter((p, i, all) => (all[i + 1] || p)[0] >= view[0] && (all[i - 1] || p)[0] <= view[1]);
      const at = (p, dy) => `${x(p[0]).toFixed(1)},${y(up(p[1] + dy)).toFixed(1)}`;
      if (points.some((p) => p[2]))
        made('polygon', { points: [...points.map((p) => at(p, p[2])), ...points.slice().reverse().map((p) => at(p, -p[2]))].join(' '), fill: one.colour, opacity: 0.2 }, svg);
      made('polyline', { points: points.map((p) => at(p, 0)).join(' '), fill: 'none', stroke: one.colour, 'stroke-width': 1.4 }, svg);
    }
    box = { left, width, cursor: made('line', { y1: 10, y2: height - bottom, class: 'grid', visibility: 'hidden' }, svg) };
  };
  const value = (event) => {
    const at = frame.getBoundingClientRect(), part = (event.clientX - at.left) / at.width * box.width;
    return view[0] + (part - box.left) / (box.width - box.left - 14) * (view[1] - view[0]);
  };
  const limit = (low, high) => {
    const wide = Math.min(high - low, whole[1] - whole[0]), from = Math.max(whole[0], Math.min(low, whole[1] - wide));
    view = [from, from + wide]; draw();
  };
  let held = null;
  frame.addEventListener('wheel', (event) => {
    event.preventDefault();
    const at = value(event), factor = event.deltaY > 0 ? 1.25 : 0.8;
    limit(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  }, { passive: false });
  frame.addEventListener('pointerdown', (event) => { held = value(event); });
  addEventListener('pointerup', () => { held = null; });
  frame.addEventListener('pointermove', (event) => {
    const at = value(event);
    if (held !== null) { limit(view[0] + held - at, view[1] + held - at); return; }
    const near = (s) => s.points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a, s.points[0]);
    const found = chart.series.filter((s) => s.points.length).map((s) => `${s.name} ${shown(near(s)[1])}${near(s)[2] ? ' ± ' + shown(near(s)[2]) : ''}`);
    hover.textContent = `${chart.x} ${Math.round(at)}: ${found.join('   ')}`;
    const part = box.left + (at - view[0]) / (view[1] - view[0]) * (box.width - box.left - 14);
    box.cursor.setAttribute('x1', part); box.cursor.setAttribute('x2', part); box.cursor.setAttribute('visibility', 'visible');
  });
  frame.addEventListener('dblclick', () => limit(...whole));
  addEventListener('resize', draw);
  draw();
}
function boundaries(place, data) {
  const panels = document.createElement('div'), time = document.createElement('div'), range = document.createElement('input');
  const play = document.createElement('button'), label = document.createElement('span');
  panels.className = 'panels'; time.className = 'time'; play.textContent = 'play'; play.type = 'button';
  const last = Math.max(...data.runs.map((run) => run.records.length)) - 1;
  range.type = 'range'; range.min = 0; range.max = last; range.value = last; range.setAttribute('aria-label', 'time of training');
  time.append(play, range, label); place.append(time, panels);
  const [low, high] = data.window, side = 300, x = (v) => (v - low[0]) / (high[0] - low[0]) * side;
  const y = (v) => data.inputs === 1 ? 0 : (high[1] - v) / (high[1] - low[1]) * side;
  const drawings = data.runs.map((run) => {
    const figure = document.createElement('figure'), caption = document.createElement('figcaption');
    figure.className = 'chart'; caption.textContent = run.name;
    const tall = data.inputs === 1 ? 60 : side, svg = made('svg', { viewBox: `0 0 ${side} ${tall}`, role: 'img', 'aria-label': run.name }, figure);
    for (const point of data.rows) made('circle', { cx: x(point[0]), cy: data.inputs === 1 ? 52 : y(point[1]), r: 1.6, fill: '#8888', }, svg);
    const group = made('g', {}, svg);
    figure.append(caption); panels.append(figure);
    return [run, group];
  });
  const show = () => {
    const k = +range.value;
    label.textContent = `${data.unit} ${shown((data.runs.find((run) => run.records[k]) || data.runs[0]).records[Math.min(k, last)]?.time ?? 0)}`;
    for (const [run, group] of drawings) {
      group.replaceChildren();
      for (const unit of (run.records[Math.min(k, run.records.length - 1)] || { units: [] }).units) {
        if (data.inputs === 1) {
          const phi = -unit[0] * unit[1];
          if (phi >= low[0] && phi <= high[0]) made('line', { x1: x(phi), x2: x(phi), y1: 4, y2: 46, stroke: run.colour, opacity: 0.55 }, group);
        } else {
          const [u, v, lambda] = unit, far = 2 * Math.hypot(high[0] - low[0], high[1] - low[1]) + Math.abs(lambda);
          const p = [-lambda * u, -lambda * v];
          made('line', { x1: x(p[0] - far * v), y1: y(p[1] + far * u), x2: x(p[0] + far * v), y2: y(p[1] - far * u), stroke: run.colour, opacity: 0.7 }, group);
          made('circle', { cx: x(p[0]), cy: y(p[1]), r: 3, fill: run.colour }, group);
        }
      }
    }
  };
  let running = null;
  const stop = () => { clearInterval(running); running = null; play.textContent = 'play'; };
  play.addEventListener('click', () => {
    if (running) { stop(); return; }
    play.textContent = 'stop';
    if (+range.value >= last) range.value = 0;
    running = setInterval(() => { range.value = +range.value + 1; show(); if (+range.value >= last) stop(); }, 60);
  });
  range.addEventListener('input', show);
  show();
}
for (const element of document.querySelectorAll('script[data-chart]')) {
  const place = document.createElement('div'), data = JSON.parse(element.textContent);
  element.after(place);
  if (element.dataset.chart === 'lines') lines(place, data); else boundaries(place, data);
}
