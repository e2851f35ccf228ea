// Measures a report from inside and posts the results. A script that ran before all others has filled `faults`.
'use strict';
const probe = async () => {
  const found = { width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches, faults };
  found.overflow = document.documentElement.scrollWidth - innerWidth;
  const visible = (element) => element.checkVisibility && element.checkVisibility() && getComputedStyle(element).visibility !== 'hidden';
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || ['SCRIPT', 'STYLE', 'TITLE'].includes(element.tagName.toUpperCase()) || !visible(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // A text in a drawing has one box, a text in a column has one box per line.
    const boxes = element instanceof SVGElement ? [element.getBoundingClientRect()] : [...range.getClientRects()];
    for (const box of boxes) if (box.width > 0.5 && box.height > 0.5) texts.push({ text: node.textContent.trim().slice(0, 40), element, box });
  }
  found.texts = texts.length;

  // A text in a drawing is as high as its font. Half a pixel of rounding is no overlap, nor is the space above and below a line.
  const overlaps = [], inset = 1.5;
  for (let i = 0; i < texts.length; i += 1) {
    for (let j = i + 1; j < texts.length; j += 1) {
      const a = texts[i].box, b = texts[j].box;
      if (texts[i].element === texts[j].element) continue;
      if (a.left + inset < b.right && b.left + inset < a.right && a.top + inset < b.bottom - inset && b.top + inset < a.bottom - inset) overlaps.push(`${texts[i].text} | ${texts[j].text}`);
    }
  }
  found.overlaps = overlaps.slice(0, 10);

  const numbers = (colour) => { const all = (colour.match(/[\d.]+/g) || []).map(Number); return all.length > 3 ? all : [...all.slice(0, 3), 1]; };
  const brightness = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (a, b) => { const [x, y] = [brightness(numbers(a)), brightness(numbers(b))]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const ground = (element) => {
    const plot = element.closest('.plot');
    if (plot) return getComputedStyle(plot.querySelector('.ground')).fill;
    for (let at = element; at; at = at.parentElement) { const colour = getComputedStyle(at).backgroundColor; if (numbers(colour)[3] > 0.99 && colour !== 'transparent') return colour; }
    return 'rgb(255, 255, 255)';
  };
  const colour = (element) => element instanceof SVGElement ? getComputedStyle(element).fill : getComputedStyle(element).color;
  const pale = texts.map(({ text, element }) => [contrast(colour(element), ground(element)), text]).sort((a, b) => a[0] - b[0]);
  found.contrast = pale[0] || [21, ''];
  const strokes = [...document.querySelectorAll('.plot .line, .plot .segments:not([class*="level"])')];
  const weak = strokes.map((path) => [contrast(getComputedStyle(path).stroke, ground(path)), path.getAttribute('class')]).sort((a, b) => a[0] - b[0]);
  found.stroke_contrast = weak[0] || [21, ''];

  const size = ({ element }) => parseFloat(getComputedStyle(element).fontSize) * (element instanceof SVGElement ? element.getScreenCTM().a || Math.abs(element.getScreenCTM().b) : 1);
  found.smallest = texts.map((one) => [Math.hypot(size(one), 0), one.text]).sort((a, b) => a[0] - b[0])[0];

  found.figures = [...document.querySelectorAll('.figure')].map((figure) => ({
    id: figure.id,
    title: figure.querySelector('h2').textContent,
    caption: figure.querySelector('figcaption').textContent,
    key: [...figure.querySelectorAll('.key span')].map((item) => item.textContent),
    plots: [...figure.querySelectorAll('.plot')].map((svg) => ({
      title: svg.querySelector('.title').textContent,
      ticks: svg.querySelectorAll('.tick').length,
      kinds: [...svg.querySelectorAll('.field path')].reduce((count, path) => { const kind = path.classList[0]; count[kind] = (count[kind] || 0) + 1; return count; }, {}),
      wide: svg.getBoundingClientRect().width,
    })),
  }));
  found.tables = [...document.querySelectorAll('table')].map((table) => table.rows.length);
  found.sources = document.querySelectorAll('details pre').length;

  // Zooming in changes the numbers at the axes, and zooming out restores them. Every figure shows values under the pointer and
  // offers its numbers as a file.
  const saved = [];
  URL.createObjectURL = (blob) => { saved.push(blob); return '#'; };
  HTMLAnchorElement.prototype.click = () => {};
  found.acts = [];
  for (const figure of document.querySelectorAll('.figure')) {
    const press = (text) => [...figure.querySelectorAll('.tools button')].find((button) => button.textContent === text).click();
    const svg = figure.querySelector('.plot'), field = svg.querySelector('.field'), ticks = () => svg.querySelector('.axes').textContent;
    const act = { id: figure.id, whole: ticks() };
    press('+');
    act.closer = ticks(); act.view = field.getAttribute('viewBox').split(' ').map(Number);
    press('reset');
    act.restored = ticks() === act.whole;
    const box = svg.getBoundingClientRect(), told = new Set();
    for (let k = 1; k < 40; k += 1) {
      const clientX = box.left + box.width * (0.25 + 0.017 * k), clientY = box.top + box.height * (0.15 + 0.6 * ((k * 7) % 40) / 40);
      svg.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, bubbles: true }));
      if (!document.querySelector('.tip').hidden) told.add(document.querySelector('.tip').textContent);
    }
    svg.dispatchEvent(new PointerEvent('pointerleave'));
    act.told = [...told].slice(0, 40);
    press('CSV'); press('SVG');
    const range = figure.querySelector('input[type=range]');
    if (range) {
      const d = () => [...figure.querySelectorAll('[data-moving]')].map((path) => path.getAttribute('d')).join('');
      const end = d();
      range.value = 0; range.dispatchEvent(new Event('input'));
      act.moved = d() !== end; act.time = figure.querySelector('output').textContent;
      range.value = range.max; range.dispatchEvent(new Event('input'));
      act.came_back = d() === end;
    }
    found.acts.push(act);
  }
  const files = await Promise.all(saved.map((blob) => blob.text()));
  found.files = files.map((text) => text.startsWith('<svg') ? { svg: !new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror') } : { rows: text.trim().split('\n').length, head: text.split('\n')[0] });
  return found;
};
const post = (found) => parent.postMessage(JSON.stringify(found), '*');
addEventListener('load', () => probe().then(post, (error) => post({ faults: [String(error && error.stack || error)] })));
