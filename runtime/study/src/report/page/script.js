// The figures' life: a closer view (buttons, keys, wheel on a chosen drawing), moving, values under the pointer, a slider over
// training, and every figure as SVG and CSV. Everything is read from the drawings themselves. No library, no network.
'use strict';
const SVG = 'http://www.w3.org/2000/svg';
const made = (name, attributes, parent) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.append(element);
  return element;
};
const shown = (x) => x === 0 ? '0' : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? (+x).toExponential(2).replace(/\.?0+e/, 'e') : String(+(+x).toPrecision(4));
const ticks = (low, high, count, scale) => {
  if (scale === 'log10' && high - low >= 0.7 && high - low <= 3)
    return [0, 1, 2, 3, 4].flatMap((k) => [1, 2, 5].map((times) => Math.floor(low) + k + Math.log10(times))).filter((x) => x >= low - 1e-9 && x <= high + 1e-9);
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), found = [];
  const round = scale === 'log2' ? 2 ** Math.ceil(Math.log2(raw * 0.999)) : [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999);
  const step = scale === 'counts' ? Math.max(1, round) : round;
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(k === 0 ? 0 : k * step);
  return found;
};
const powers = { log2: 2, log10: 10 };
const meant = (value, scale) => powers[scale] ? powers[scale] ** value : value;

// The points of a path: of dots and lines one after another, of segments and polygons their ends.
const known = new WeakMap();
const points = (path) => {
  const d = path.getAttribute('d'), old = known.get(path);
  if (old && old.d === d) return old.found;
  const numbers = (d.replaceAll('h0', '').match(/-?\d+(\.\d+)?/g) || []).map(Number), found = [];
  for (let k = 0; k + 1 < numbers.length; k += 2) found.push([numbers[k], numbers[k + 1]]);
  known.set(path, { d, found });
  return found;
};
const rises = (found) => found.every((p, k) => k === 0 || p[0] >= found[k - 1][0]);
const series = (svg) => [...svg.querySelectorAll('.field path[data-name]')];

// One drawing: its view, and what its numbers mean.
const opened = (svg) => {
  const about = JSON.parse(svg.dataset.plot), [left, top, wide, high] = about.field;
  const field = svg.querySelector('.field'), axes = svg.querySelector('.axes'), original = axes.innerHTML;
  let view = [0, 0, wide, high];
  const one = (axis, part) => axis[0] + part * (axis[1] - axis[0]);
  const plot = {
    about,
    x: (px) => one(about.x, px / wide),
    y: (py) => one(about.y, 1 - py / high),
    value: ([px, py]) => [meant(plot.x(px), about.x[2]), meant(plot.y(py), about.y[2])],
    at: (event) => {
      const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
      const part = [((event.clientX - box.left) / scale - left) / wide, ((event.clientY - box.top) / scale - top) / high];
      return part.some((p) => p < 0 || p > 1) ? null : [view[0] + part[0] * view[2], view[1] + part[1] * view[3]];
    },
    unit: () => view[2] / wide * svg.viewBox.baseVal.width / svg.getBoundingClientRect().width,
    move: (dx, dy) => plot.show([view[0] + dx, view[1] + dy, view[2], view[3]]),
    zoom: (factor, around) => {
      const [x, y] = around || [view[0] + view[2] / 2, view[1] + view[3] / 2];
      const most = Math.min(16, Math.max(1e-4, view[2] / wide * factor)) / (view[2] / wide);
      plot.show([x - (x - view[0]) * most, y - (y - view[1]) * most, view[2] * most, view[3] * most]);
    },
    reset: () => plot.show([0, 0, wide, high]),
    isWhole: () => view[0] === 0 && view[1] === 0 && view[2] === wide && view[3] === high,
    show: (next) => {
      view = next;
      field.setAttribute('viewBox', view.join(' '));
      svg.classList.toggle('near', !plot.isWhole());
      if (plot.isWhole()) { axes.innerHTML = original; return; }
      axes.replaceChildren();
      const grid = made('path', { class: 'grid', fill: 'none', stroke: '#e3e3e3' }, axes);
      let d = '';
      const named = (value, scale) => (powers[scale] === 2 ? '2^' : '') + shown(powers[scale] === 10 ? 10 ** value : value);
      // Four digits that count, more where neighbours would look the same.
      const names = (values, scale) => {
        const texts = values.map((value) => named(value, scale));
        const alike = scale === 'linear' && texts.some((text, k) => k > 0 && text === texts[k - 1]);
        const places = alike ? Math.min(12, Math.max(0, -Math.floor(Math.log10(values[1] - values[0])))) : 0;
        return alike ? values.map((value) => value.toFixed(places)) : texts;
      };
      const across = about.x[2] === 'hidden' ? [] : ticks(plot.x(view[0]), plot.x(view[0] + view[2]), 4, about.x[2]);
      const words = names(across, about.x[2]);
      for (const [k, value] of across.entries()) {
        const x = left + ((value - about.x[0]) / (about.x[1] - about.x[0]) * wide - view[0]) / view[2] * wide;
        d += `M${x} ${top}v${high}`;
        made('text', { class: 'tick', x, y: top + high + 16, 'text-anchor': 'middle' }, axes).textContent = words[k];
      }
      const [low, up] = [plot.y(view[1] + view[3]), plot.y(view[1])];
      const bands = about.names.map((_, k) => k + 0.5).filter((k) => k >= low && k <= up);
      const upward = about.y[2] === 'hidden' ? [] : about.y[2] === 'names' ? bands : ticks(low, up, 5, about.y[2]);
      const beside = about.y[2] === 'names' ? bands.map((value) => about.names[Math.floor(value)]) : names(upward, about.y[2]);
      for (const [k, value] of upward.entries()) {
        const y = top + ((1 - (value - about.y[0]) / (about.y[1] - about.y[0])) * high - view[1]) / view[3] * high;
        d += `M${left} ${y}h${wide}`;
        made('text', { class: 'tick', x: left - 6, y: y + 4, 'text-anchor': 'end' }, axes).textContent = beside[k];
      }
      grid.setAttribute('d', d);
    },
  };
  return plot;
};

// What lies under the pointer: of lines the values there, of everything else the nearest within reach.
const found = (svg, plot, at, target) => {
  const lines = [], bands = new Map(), reach = 14 * plot.unit();
  let near = null;
  for (const path of series(svg)) {
    const all = points(path), name = path.dataset.name, kind = path.classList[0];
    if (!all.length || kind === 'fill') continue;
    if (kind === 'band') { bands.set(name, all); continue; }
    if (kind === 'line' && all.length > 1 && rises(all)) {
      if (at[0] < all[0][0] - reach || at[0] > all[all.length - 1][0] + reach) continue;
      const k = all.reduce((best, p, k) => Math.abs(p[0] - at[0]) < Math.abs(all[best][0] - at[0]) ? k : best, 0);
      lines.push([name, all[k], bands.get(name), k]);
      continue;
    }
    all.forEach((p, k) => {
      const far = Math.hypot(p[0] - at[0], p[1] - at[1]);
      const own = kind === 'segments' ? name : all.length > 1 && kind === 'dots' ? `${name} ${k}` : name;
      if (far < reach && (!near || far < near.far)) near = { far, name: own, p };
    });
  }
  const text = [], pair = (p) => plot.value(p).map(shown).join(', ');
  const labels = plot.about.labels;
  if (lines.length) text.push(`${labels[0] || 'x'} ${shown(plot.value(lines[0][1])[0])}`);
  lines.sort((a, b) => a[1][1] - b[1][1]);
  for (const [name, p, band, k] of lines.slice(0, 12)) {
    // A band goes there along its upper edge and back along its lower.
    const edge = band && band.length > 2 * k ? (plot.value(band[k])[1] - plot.value(band[band.length - 1 - k])[1]) / 2 : 0;
    text.push(`${name}: ${shown(plot.value(p)[1])}${edge ? ' ± ' + shown(edge) : ''}`);
  }
  if (near) text.push(`${near.name}: ${pair(near.p)}`);
  if (!near && target.dataset && target.dataset.name && target.classList.contains('fill')) text.push(target.dataset.name);
  if (!text.length) text.push(pair(at));
  return text.join('\n');
};

const tip = document.createElement('div');
tip.className = 'tip'; tip.hidden = true; document.body.append(tip);
const tell = (event, text) => {
  tip.textContent = text; tip.hidden = false;
  const box = tip.getBoundingClientRect(), gap = 14;
  tip.style.left = `${Math.max(4, event.clientX + gap + box.width > innerWidth ? event.clientX - gap - box.width : event.clientX + gap)}px`;
  tip.style.top = `${Math.max(4, event.clientY + gap + box.height > innerHeight ? event.clientY - gap - box.height : event.clientY + gap)}px`;
};

const live = (svg) => {
  const plot = opened(svg);
  let held = null;
  svg.setAttribute('tabindex', '0');
  svg.addEventListener('wheel', (event) => {
    const at = plot.at(event);
    // A page that cannot be scrolled past its figures is a nuisance: the wheel works where a drawing was chosen.
    if (!at || !(event.ctrlKey || event.metaKey || document.activeElement === svg)) return;
    event.preventDefault();
    plot.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at);
  }, { passive: false });
  svg.addEventListener('pointerdown', (event) => {
    held = plot.at(event);
    if (held && event.pointerType === 'mouse') svg.setPointerCapture(event.pointerId);
  });
  const drop = () => { held = null; };
  svg.addEventListener('pointerup', drop);
  svg.addEventListener('pointercancel', drop);
  svg.addEventListener('pointermove', (event) => {
    const at = plot.at(event);
    if (!at) { tip.hidden = true; return; }
    if (held && (event.pointerType === 'mouse' || !plot.isWhole())) { tip.hidden = true; plot.move(held[0] - at[0], held[1] - at[1]); return; }
    tell(event, found(svg, plot, at, event.target));
  });
  svg.addEventListener('pointerleave', () => { tip.hidden = true; });
  svg.addEventListener('dblclick', plot.reset);
  const step = 30, keys = { '+': () => plot.zoom(1 / 1.3), '=': () => plot.zoom(1 / 1.3), '-': () => plot.zoom(1.3), 0: plot.reset, ArrowLeft: () => plot.move(-step * plot.unit(), 0), ArrowRight: () => plot.move(step * plot.unit(), 0), ArrowUp: () => plot.move(0, -step * plot.unit()), ArrowDown: () => plot.move(0, step * plot.unit()) };
  svg.addEventListener('keydown', (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  return plot;
};

const saved = (name, type, text) => {
  const link = document.createElement('a'), address = URL.createObjectURL(new Blob([text], { type }));
  link.href = address; link.download = name; link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};
// Everything that is drawn, as numbers of its axes: four digits, as exact as the drawing is.
const table = (figure, plots) => {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`, rows = ['plot,series,kind,x,y'];
  for (const [svg, plot] of plots) {
    for (const path of [...series(svg), ...svg.querySelectorAll('[data-moving]:not([data-name])')])
      for (const p of points(path)) rows.push([quoted(svg.getAttribute('aria-label')), quoted(path.dataset.name || 'boundary'), path.classList[0], ...plot.value(p).map((x) => +x.toPrecision(5))].join(','));
  }
  return rows.join('\n') + '\n';
};
// The drawings side by side with their key, as one file in the colours for light ground, which stand as attributes.
const drawing = (figure, plots) => {
  const sizes = plots.map(([svg]) => svg.viewBox.baseVal), wide = Math.max(...sizes.map((s) => s.width)), high = Math.max(...sizes.map((s) => s.height));
  const across = Math.min(plots.length, wide < 300 ? 4 : 2), down = Math.ceil(plots.length / across), key = [...figure.querySelectorAll('.key span')];
  const size = [across * (wide + 10) - 10, down * (high + 10) + Math.ceil(key.length / 3) * 22];
  const whole = made('svg', { xmlns: SVG, width: size[0], height: size[1], viewBox: `0 0 ${size[0]} ${size[1]}`, 'font-family': 'system-ui, sans-serif', 'font-size': 13 });
  made('rect', { width: size[0], height: size[1], fill: '#ffffff' }, whole);
  plots.forEach(([svg], k) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute('x', (k % across) * (wide + 10)); copy.setAttribute('y', Math.floor(k / across) * (high + 10));
    whole.append(copy);
  });
  key.forEach((item, k) => {
    const x = 10 + (k % 3) * size[0] / 3, y = down * (high + 10) + Math.floor(k / 3) * 22 + 12;
    const like = [...figure.querySelectorAll('.field path')].find((path) => path.classList[path.classList.length - 1] === item.querySelector('i').className);
    made('path', { d: `M${x} ${y}h22`, stroke: (like && like.getAttribute('stroke')) || '#1b1b1b', 'stroke-width': 4 }, whole);
    made('text', { x: x + 28, y: y + 4, fill: '#1b1b1b' }, whole).textContent = item.textContent;
  });
  return new XMLSerializer().serializeToString(whole);
};
const button = (text, title, act, parent) => {
  const element = document.createElement('button');
  element.type = 'button'; element.textContent = text; element.title = title;
  element.addEventListener('click', act); parent.append(element);
  return element;
};

const moments = (figure, plots) => {
  const data = JSON.parse(figure.querySelector('[data-moments]').textContent), bar = document.createElement('div');
  const range = document.createElement('input'), label = document.createElement('output');
  const last = Math.max(...data.plots.map((all) => all.length)) - 1;
  range.type = 'range'; range.min = 0; range.max = last; range.value = last; range.setAttribute('aria-label', 'time of training');
  bar.className = 'time';
  const show = () => {
    plots.forEach(([svg], k) => {
      const all = data.plots[k], moment = all[Math.min(+range.value, all.length - 1)];
      if (!moment) return;
      for (const path of svg.querySelectorAll('[data-moving]')) path.setAttribute('d', moment[path.dataset.moving]);
      label.textContent = `${data.unit} ${moment.time}`;
    });
  };
  let running = null;
  const stop = () => { clearInterval(running); running = null; play.textContent = 'play'; };
  const play = button('play', 'run through training', () => {
    if (running) { stop(); return; }
    play.textContent = 'stop';
    if (+range.value >= last) range.value = 0;
    running = setInterval(() => { range.value = +range.value + 1; show(); if (+range.value >= last) stop(); }, 70);
  }, bar);
  range.addEventListener('input', () => { if (running) stop(); show(); });
  bar.append(range, label);
  figure.querySelector('.plots').before(bar);
  show();
};

for (const figure of document.querySelectorAll('.figure')) {
  const plots = [...figure.querySelectorAll('.plot')].map((svg) => [svg, live(svg)]), bar = document.createElement('div');
  bar.className = 'tools';
  const each = (act) => () => plots.forEach(([, plot]) => act(plot));
  button('+', 'closer', each((plot) => plot.zoom(1 / 1.4)), bar);
  button('−', 'wider', each((plot) => plot.zoom(1.4)), bar);
  button('reset', 'the whole drawing', each((plot) => plot.reset()), bar);
  button('SVG', 'this figure as a drawing', () => saved(`${figure.dataset.name}.svg`, 'image/svg+xml', drawing(figure, plots)), bar);
  button('CSV', 'what is drawn, as numbers', () => saved(`${figure.dataset.name}.csv`, 'text/csv', table(figure, plots)), bar);
  figure.querySelector('.plots').after(bar);
  if (figure.classList.contains('moments')) moments(figure, plots);
}

// On paper nothing can be opened.
const folded = [...document.querySelectorAll('details:not([open])')];
addEventListener('beforeprint', () => folded.forEach((one) => { one.open = true; }));
addEventListener('afterprint', () => folded.forEach((one) => { one.open = false; }));
