"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Texts reach the page through textContent and attributes only: names come from strangers' files.
  const make = (name, parent, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };
  // A label breaks after its separators.
  const label = (parent, text) => {
    const parts = text.split(/(?<=[\s,=\/+])/).flatMap((word) => word.match(/.{1,24}/gsu) || []);
    parts.forEach((part, n) => parent.append(...(n ? [document.createElement("wbr"), part] : [part])));
  };
  const draw = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };

  // Plots.
  const metric = one("#metric"), step = one("#step"), reading = one("#reading");
  data.metrics.forEach((m, n) => { make("option", metric, m.label).value = n; });
  for (let frame = 1; frame <= data.steps; frame++) make("option", step, `frame ${frame}`).value = frame;
  step.parentElement.hidden = data.steps === 1;
  const shown = data.runs.map((run, n) => {
    const entry = make("label", one("#legend"));
    const box = make("input", entry);
    box.type = "checkbox";
    box.checked = true;
    make("i", entry).className = `swatch run-${n % 10}`;
    label(make("span", entry), run.label);
    box.addEventListener("change", redraw);
    return box;
  });
  one("#legend").hidden = data.runs.length < 2;
  const clips = data.clips.length;

  const points = () => {
    const key = data.metrics[metric.value].key, start = (step.value - 1) * clips;
    return data.runs.map((run, n) => {
      if (!shown[n].checked) return [];
      const found = [];
      for (let i = 0; i < clips; i++) {
        const y = run.scores[key][start + i];
        if (y !== null && run.counted[start + i] === "1") {
          found.push({ run: n, clip: data.clips[i], x: 100 * data.moving[start + i], y });
        }
      }
      return found;
    });
  };

  const ticks = (low, high, count) => {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const size = power * ([1, 2, 5, 10].find((n) => n * power >= raw) || 10);
    const found = [];
    for (let n = Math.ceil(low / size - 1e-9); n * size <= high + size * 1e-9; n++) found.push(n * size);
    return { found, digits: Math.max(0, -Math.floor(Math.log10(size) + 1e-9)) };
  };
  const range = (values, margin) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    const pad = (high - low) * margin || Math.abs(high) * 0.01 || 1;
    return [low - pad, high + pad];
  };
  const quantile = (sorted, q) => {
    const at = (sorted.length - 1) * q, low = Math.floor(at), high = Math.ceil(at);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
  };
  const title = (m) => (m.unit ? `${m.label}, ${m.unit}` : m.label);

  function densities(groups) {
    const box = one("#densities"), m = data.metrics[metric.value];
    const width = box.clientWidth, height = 44, margin = 8;
    const [low, high] = range(groups.flat().map((p) => p.y), 0.12);
    const at = (v) => margin + (v - low) / (high - low) * (width - 2 * margin);
    const marks = ticks(low, high, Math.max(3, width / 80));
    const rows = [];
    groups.forEach((group, n) => {
      if (!shown[n].checked) return;
      const row = make("div");
      row.className = "density";
      const values = group.map((p) => p.y).sort((a, b) => a - b);
      const line = make("p", row);
      label(make("span", line), data.runs[n].label);
      rows.push(row);
      if (!values.length) { make("small", line, "no counted frame"); return; }
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      make("small", line, `mean ${mean.toFixed(m.decimals)}, median ${quantile(values, 0.5).toFixed(m.decimals)}, n ${values.length}`);
      const plot = draw("svg", { height, class: `run-${n % 10}`, role: "img", "aria-label": `Distribution of ${m.label}` }, row);
      for (const v of marks.found) draw("path", { class: "grid", d: `M${at(v)} 0V${height}` }, plot);
      const base = height - 9;
      // A kernel density estimate with Silverman's bandwidth, its top at the row's top.
      const spread = Math.min(deviation, (quantile(values, 0.75) - quantile(values, 0.25)) / 1.34 || deviation);
      const band = Math.max(0.9 * spread * values.length ** -0.2, (high - low) / 150);
      const curve = [];
      let top = 0;
      for (let i = 0; i <= 160; i++) {
        const v = low + (high - low) * i / 160;
        let sum = 0;
        for (const value of values) { const d = (v - value) / band; if (d < 5 && d > -5) sum += Math.exp(-d * d / 2); }
        curve.push([at(v), sum]);
        if (sum > top) top = sum;
      }
      const outline = curve.map(([x, s], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${(base - s / top * (base - 3)).toFixed(1)}`).join("");
      draw("path", { class: "area", d: `${outline}V${base}H${margin}Z` }, plot);
      draw("path", { class: "edge", d: outline }, plot);
      draw("path", { class: "half", d: `M${at(quantile(values, 0.25))} ${base + 3}H${at(quantile(values, 0.75))}` }, plot);
      draw("path", { class: "median", d: `M${at(quantile(values, 0.5))} ${base - 2}v10` }, plot);
      draw("circle", { class: "mean", cx: at(mean), cy: base + 3, r: 3.4 }, plot);
    });
    const axis = draw("svg", { height: 34, "aria-hidden": "true" });
    for (const v of marks.found) {
      draw("text", { x: at(v), y: 13, "text-anchor": "middle" }, axis).textContent = v.toFixed(marks.digits);
    }
    draw("text", { x: width / 2, y: 30, "text-anchor": "middle" }, axis).textContent = title(m);
    box.replaceChildren(...rows, axis);
  }

  let dots = [], current = -1, ring = null;
  function scatter(groups) {
    const box = one("#scatter"), m = data.metrics[metric.value];
    const width = box.clientWidth, height = Math.max(240, Math.min(380, width * 0.7));
    const left = 44, bottom = 38, right = 10, top = 8;
    const flat = groups.flat();
    const [low, high] = range(flat.map((p) => p.y), 0.05);
    const x = (v) => left + v / 100 * (width - left - right);
    const y = (v) => height - bottom - (v - low) / (high - low) * (height - bottom - top);
    const plot = draw("svg", { height, "aria-hidden": "true" });
    const marks = ticks(low, high, 6);
    for (const v of marks.found) {
      draw("path", { class: "grid", d: `M${left} ${y(v)}H${width - right}` }, plot);
      draw("text", { x: left - 7, y: y(v) + 4, "text-anchor": "end" }, plot).textContent = v.toFixed(marks.digits);
    }
    for (let v = 0; v <= 100; v += width < 420 ? 25 : 20) {
      draw("path", { class: "grid", d: `M${x(v)} ${top}V${height - bottom}` }, plot);
      draw("text", { x: x(v), y: height - bottom + 16, "text-anchor": "middle" }, plot).textContent = v;
    }
    draw("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, plot).textContent = "moving area, % of the frame";
    draw("text", { x: 12, y: (height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(height - bottom) / 2})` }, plot).textContent = title(m);
    groups.forEach((group, n) => {
      // One path a run: a segment without length and a round cap is a dot.
      const d = group.map((p) => `M${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}h0`).join("");
      if (d) draw("path", { class: `dots run-${n % 10}`, d }, plot);
    });
    dots = flat.map((p) => ({ ...p, px: x(p.x), py: y(p.y) })).sort((a, b) => a.x - b.x || a.y - b.y);
    current = -1;
    ring = draw("circle", { class: "here", r: 0 }, plot);
    box.replaceChildren(plot);
    const left_out = data.runs.reduce((sum, run, n) => sum + (shown[n].checked ? clips - groups[n].length : 0), 0);
    reading.textContent = left_out ? `${left_out} scores that are not counted are left out.` : "";
  }
  const read = (n) => {
    current = n;
    const p = dots[n], m = data.metrics[metric.value];
    ring.setAttribute("r", 6.5);
    ring.setAttribute("cx", p.px);
    ring.setAttribute("cy", p.py);
    const there = document.getElementById(`clip-${p.clip}`) ? " (shown below)" : "";
    reading.textContent = `Clip ${p.clip}, frame ${step.value}${there}: ${m.label} ${p.y.toFixed(m.decimals)}${m.unit ? ` ${m.unit}` : ""}, ${p.x.toFixed(0)} % moving; ${data.runs[p.run].label}`;
  };
  const go = (index) => {
    const clip = document.getElementById(`clip-${index}`);
    if (clip) { clip.scrollIntoView(); clip.focus({ preventScroll: true }); }
  };
  const nearest = (event) => {
    const box = one("#scatter").getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1, distance = 24 ** 2;
    dots.forEach((p, n) => {
      const d = (p.px - px) ** 2 + (p.py - py) ** 2;
      if (d < distance) [best, distance] = [n, d];
    });
    return best;
  };
  one("#scatter").addEventListener("pointermove", (event) => { const n = nearest(event); if (n >= 0) read(n); });
  one("#scatter").addEventListener("click", (event) => { const n = nearest(event); if (n >= 0) { read(n); go(dots[n].clip); } });
  one("#scatter").addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (move && dots.length) {
      event.preventDefault();
      read(current < 0 ? (move > 0 ? 0 : dots.length - 1) : (current + move + dots.length) % dots.length);
    } else if (event.key === "Enter" && current >= 0) go(dots[current].clip);
  });

  function redraw() {
    const groups = points();
    densities(groups);
    scatter(groups);
  }
  metric.addEventListener("change", redraw);
  step.addEventListener("change", redraw);
  one("#plots").hidden = false;
  let last = 0;
  new ResizeObserver(() => {
    const width = one("#plots").clientWidth;
    if (width !== last) { last = width; redraw(); }
  }).observe(one("#plots"));

  // Clips: the stage shows truth and one prediction, divided by a slider or in turns.
  const compare = (part) => {
    const stage = one(".stage", part), runs = all(".column.run", part), radios = all("input[type=radio]", part);
    const truth = one(".strip img.truth", part), mask = one(".strip img.mask", part);
    const [under, over, veil] = [one(".truth", stage), one(".guess", stage), one(".veil", stage)];
    const [leftTag, rightTag, bottomTag] = [one(".left", stage), one(".right", stage), one(".bottom", stage)];
    const [flicker, error, moving] = [one("button.flicker", part), one("button.error", part), one("button.moving", part)];
    let chosen = radios.findIndex((radio) => !radio.disabled), timer = 0;
    if (chosen < 0) return;
    const pressed = (button) => button !== null && button.getAttribute("aria-pressed") === "true";
    const show = () => {
      const run = runs[chosen], name = run.dataset.label, wrong = pressed(error);
      over.src = one(wrong ? "img.error" : "img.guess", run).src;
      over.alt = wrong ? `Error map of ${name}` : `Prediction of ${name}`;
      stage.classList.toggle("whole", wrong);
      veil.hidden = !pressed(moving);
      leftTag.hidden = rightTag.hidden = wrong || timer !== 0;
      bottomTag.hidden = !(wrong || timer !== 0);
      rightTag.textContent = name;
      bottomTag.textContent = wrong ? `error of ${name}` : stage.classList.contains("showtruth") ? "truth" : name;
      runs.forEach((other, n) => other.classList.toggle("chosen", n === chosen));
      radios[chosen].checked = true;
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      flicker.setAttribute("aria-pressed", "false");
      stage.classList.remove("flickering", "showtruth");
    };
    under.src = truth.src;
    under.alt = truth.alt;
    if (mask) veil.src = mask.src;
    one(".slide input", part).addEventListener("input", (event) => {
      stop();
      error.setAttribute("aria-pressed", "false");
      stage.style.setProperty("--cut", `${event.target.value}%`);
      show();
    });
    flicker.addEventListener("click", () => {
      if (timer) stop();
      else {
        error.setAttribute("aria-pressed", "false");
        flicker.setAttribute("aria-pressed", "true");
        stage.classList.add("flickering");
        // 0.4 s: below three flashes a second (WCAG 2.3.1).
        timer = setInterval(() => { stage.classList.toggle("showtruth"); show(); }, 400);
      }
      show();
    });
    error.addEventListener("click", () => {
      const on = !pressed(error);
      stop();
      error.setAttribute("aria-pressed", on);
      show();
    });
    if (moving) moving.addEventListener("click", () => { moving.setAttribute("aria-pressed", !pressed(moving)); show(); });
    radios.forEach((radio, n) => radio.addEventListener("change", () => { chosen = n; show(); }));
    runs.forEach((run, n) => {
      const pick = one(".pick", run);
      if (pick) pick.addEventListener("click", () => { chosen = n; show(); one(".stage", part).scrollIntoView({ block: "nearest" }); });
    });
    one(".compare", part).hidden = false;
    show();
    part.addEventListener("stop", stop);
  };
  all(".clip").forEach((clip) => {
    const parts = all(".step", clip), buttons = all(".steps button", clip);
    const ready = new Set();
    const turn = (frame) => {
      parts.forEach((part) => {
        part.hidden = part.dataset.step !== frame;
        if (part.hidden) part.dispatchEvent(new Event("stop"));
        else if (!ready.has(part)) { ready.add(part); compare(part); }
      });
      buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.step === frame));
    };
    one(".steps", clip).hidden = parts.length < 2;
    buttons.forEach((button) => button.addEventListener("click", () => turn(button.dataset.step)));
    turn(parts[0].dataset.step);
  });
  document.documentElement.dataset.ready = "true";
})();
