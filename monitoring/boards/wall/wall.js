// The wall: draws boards.json with what Prometheus' API on the same origin answers. Nothing is written anywhere.
//
// The address keeps what is looked at: #board=hft-ha&host=engine-1&range=900, or from= and to= (seconds since 1970)
// for a moment that is over. Where there is no sample it says since when: a gap is never bridged by a line.
"use strict";

(function () {
  const POINTS = 300;
  const EVERY_MS = 5000;
  const RANGES = [[900, "15 minutes"], [3600, "1 hour"], [21600, "6 hours"], [86400, "1 day"], [259200, "3 days"]];
  const COLOURS = ["#4fc3f7", "#ffb74d", "#81c784", "#e57373", "#ba68c8", "#fff176", "#4db6ac", "#f06292", "#a1887f",
    "#90a4ae", "#7986cb", "#dce775"];
  const LEVELS = { ok: "#2f9e5b", warn: "#d98b1f", bad: "#d23b3b", plain: "#4a6fa5" };
  const AXIS = "#8c93a0", GRID = "#343a45", MARK = "#64b5f6", LIMIT = "#ff5252";
  const MARGIN = 220, ROW = 18;
  let model = null;
  let drawn = [];  // charts of the board that is shown
  let round = 0;   // answers of an older round are thrown away

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  function chosen() {
    const words = new URLSearchParams(location.hash.slice(1));
    const board = model.boards.find((one) => one.uid === words.get("board")) || model.boards[0];
    const range = Number(words.get("range")) || RANGES[0][0];
    const to = Number(words.get("to")) || Date.now() / 1000;
    const from = Number(words.get("from")) || to - range;
    const step = Math.max(1, Math.ceil((to - from) / POINTS));
    const end = Math.floor(to / step) * step;
    return { board, host: words.get("host") || "", range, fixed: words.has("to"),
      from: Math.floor(from / step) * step, to: end, step };
  }

  function go(changes) {
    const words = new URLSearchParams(location.hash.slice(1));
    Object.entries(changes).forEach(([key, value]) => (value ? words.set(key, value) : words.delete(key)));
    location.hash = words.toString();
  }

  async function asked(query, view) {
    // In PromQL's text a backslash is two, and a name is matched as it is written.
    const name = view.host.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&") || ".*";
    const expression = query.expression.split("$host").join(name)
      .split("$step").join(Math.max(view.step, query.least_step_s) + "s");
    const body = new URLSearchParams({ query: expression, start: view.from, end: view.to, step: view.step });
    const answer = await fetch("../api/v1/query_range", { method: "POST", body });
    const said = await answer.json();
    if (said.status !== "success") throw new Error(said.error || "HTTP " + answer.status);
    return said.data.result.map((series) => ({
      name: query.legend.replace(/\{\{(\w+)\}\}/g, (_, label) => series.metric[label] || "").trim().replace(/ +/g, " "),
      metric: series.metric,
      stale_s: Math.max(query.stale_s, 2 * view.step),
      points: new Map(series.values.map(([at, value]) => [Math.round(at), Number(value)])),
    }));
  }

  async function seriesOf(panel, view) {
    const answers = await Promise.all(panel.queries.map((query) => asked(query, view)));
    return answers.flat().sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
  }

  const lastOf = (series) => Math.max(...series.points.keys());
  const isGone = (series, view) => view.to - lastOf(series) > series.stale_s;
  const hour = (at) => new Date(at * 1000).toISOString().slice(11, 19) + " UTC";

  function shownValue(value, unit) {
    if (unit === "s") {
      for (const [size, name] of [[1, "s"], [1e-3, "ms"], [1e-6, "us"], [1e-9, "ns"]]) {
        if (Math.abs(value) >= size || size === 1e-9) return value === 0 ? "0 s" : Number((value / size).toPrecision(3)) + " " + name;
      }
    }
    if (unit === "share") return Number((100 * value).toPrecision(3)) + " %";
    return Number(value.toPrecision(6)) + (unit === "1/s" ? " /s" : unit === "bytes" ? " B" : "");
  }

  const stateOf = (panel, value) => panel.states.find((one) => one.value === value);

  // What is missing: nothing at all in the window, or some series that ended within it.
  function missing(panel, series, view) {
    if (!series.length) return [panel.empty + " since before " + hour(view.from)];
    return series.filter((one) => isGone(one, view))
      .map((one) => one.name + ": " + panel.empty + " since " + hour(lastOf(one)));
  }

  function lines(body, panel, series, marks, view) {
    const times = [];
    for (let at = view.from; at <= view.to; at += view.step) times.push(at);
    const data = [times, ...series.map((one) => times.map((at) => (one.points.has(at) ? one.points.get(at) : null)))];
    const colour = (index) => COLOURS[index % COLOURS.length];
    const width = Math.max(200, body.clientWidth);
    const axis = { stroke: AXIS, grid: { stroke: GRID, width: 1 }, ticks: { stroke: GRID } };
    const highest = Math.max(0, ...panel.limits.map((one) => one.value));
    const chart = new uPlot({
      width, height: 30 * panel.height - 60,
      series: [{}, ...series.map((one, index) => ({ label: one.name, stroke: colour(index), width: 1.5, spanGaps: false,
        points: { show: false } }))],
      axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 19)) }, { ...axis, size: 70, values: (_, ticks) => ticks.map((one) => shownValue(one, panel.unit)) }],
      scales: { x: { range: [view.from, view.to] },
        y: { range: (_, low, high) => [Math.min(0, low || 0), Math.max(highest, high || 0) * 1.1 || 1] } },
      hooks: { draw: [(u) => { limitsOn(u, panel.limits); marksOn(u, marks); }] },
    }, data, body);
    drawn.push(chart);
    const legend = element("div", { class: "legend" });
    series.forEach((one, index) => {
      const key = element("i", {});
      key.style.background = colour(index);
      legend.append(element("span", {}, key, one.name + " " + shownValue(one.points.get(lastOf(one)), panel.unit)));
    });
    body.append(legend);
    const place = chart.root.querySelector("canvas").getBoundingClientRect();
    body.dataset.plot = JSON.stringify({ left: place.left + scrollX + chart.bbox.left / devicePixelRatio,
      top: place.top + scrollY + chart.bbox.top / devicePixelRatio, width: chart.bbox.width / devicePixelRatio,
      height: chart.bbox.height / devicePixelRatio, from: view.from, to: view.to,
      series: series.map((one, index) => ({ name: one.name, colour: colour(index) })) });
  }

  function dashed(u, colour, x0, y0, x1, y1, text) {
    const pen = u.ctx;
    pen.save();
    pen.strokeStyle = pen.fillStyle = colour;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.fillText(text, x0 + 4, y0 === y1 ? y0 - 4 : y0 + 12);
    pen.restore();
  }

  function limitsOn(u, limits) {
    limits.forEach((one) => {
      const y = u.valToPos(one.value, "y", true);
      if (y >= u.bbox.top) dashed(u, LIMIT, u.bbox.left, y, u.bbox.left + u.bbox.width, y, one.text);
    });
  }

  function marksOn(u, marks) {
    marks.forEach((one) => {
      const x = u.valToPos(one.at, "x", true);
      dashed(u, MARK, x, u.bbox.top, x, u.bbox.top + u.bbox.height, one.text);
    });
  }

  // A canvas with a row for each series and a cell for each step; COLOUR says how a value is drawn, null is a gap.
  function rows(body, series, view, colour, text) {
    const width = Math.max(MARGIN + 100, body.clientWidth), height = ROW * series.length + 16;
    const canvas = element("canvas", { class: "rows", width, height });
    const pen = canvas.getContext("2d");
    const cell = (width - MARGIN) / ((view.to - view.from) / view.step + 1);
    pen.font = "12px system-ui, sans-serif";
    series.forEach((one, row) => {
      pen.fillStyle = "#d7dae0";
      pen.fillText((one.name + "  " + text(one)).slice(0, 36), 0, ROW * row + 13);
      one.points.forEach((value, at) => {
        pen.fillStyle = colour(value);
        pen.fillRect(MARGIN + cell * (at - view.from) / view.step, ROW * row + 2, Math.ceil(cell), ROW - 4);
      });
    });
    pen.fillStyle = AXIS;
    pen.fillText(hour(view.from), MARGIN, height - 2);
    pen.fillText(hour(view.to), width - 80, height - 2);
    body.append(canvas);
  }

  function timeline(body, panel, series, view) {
    // A value without a state of its own, as an epoch, gets a colour of its own.
    const colour = (value) => (panel.states.length ? LEVELS[(stateOf(panel, value) || { level: "plain" }).level]
      : COLOURS[value % COLOURS.length]);
    const word = (one) => {
      const value = one.points.get(lastOf(one));
      return isGone(one, view) ? "" : (stateOf(panel, value) || { text: shownValue(value, panel.unit) }).text;
    };
    rows(body, series, view, colour, word);
  }

  function strip(body, panel, series, view) {
    const most = Math.max(1, ...series.map((one) => Math.max(...one.points.values())));
    const colour = (value) => "hsl(" + (50 - 50 * Math.log1p(value) / Math.log1p(most)) + ", 90%, "
      + (20 + 35 * Math.log1p(value) / Math.log1p(most)) + "%)";
    rows(body, series, view, colour, (one) => shownValue(one.points.get(lastOf(one)), panel.unit));
  }

  function tiles(body, panel, series, view) {
    const all = element("div", { class: "tiles" });
    series.forEach((one) => {
      const value = one.points.get(lastOf(one)), state = stateOf(panel, value);
      const level = isGone(one, view) ? "gone" : state ? state.level : panel.states.length ? "warn" : "plain";
      const text = isGone(one, view) ? panel.empty + " since " + hour(lastOf(one))
        : state ? state.text : shownValue(value, panel.unit);
      all.append(element("div", { class: "tile " + level }, element("b", {}, one.name), text));
    });
    body.append(all);
  }

  function table(body, panel, series, view) {
    const now = series.filter((one) => !isGone(one, view));
    const names = [...new Set(now.flatMap((one) => Object.keys(one.metric)))].filter((one) => one !== "__name__").sort();
    const made = element("table", {}, element("tr", {}, ...names.map((one) => element("th", {}, one))));
    now.forEach((one) => made.append(element("tr", {}, ...names.map((name) => element("td", {}, one.metric[name] || "")))));
    if (now.length) body.append(made);
    return now.length ? [] : [panel.empty + " now"];
  }

  async function silences(body) {
    for (const url of model.alertmanagers) {
      try {
        const answer = await fetch(url + "/api/v2/silences");
        const active = (await answer.json()).filter((one) => one.status.state !== "expired");
        const made = element("table", {}, element("tr", {}, ...["until", "by", "why", "which"].map((one) => element("th", {}, one))));
        active.forEach((one) => made.append(element("tr", {}, ...[one.endsAt, one.createdBy, one.comment,
          one.matchers.map((part) => part.name + (part.isRegex ? "=~" : "=") + part.value).join(", "),
        ].map((text) => element("td", {}, text)))));
        body.append(active.length ? made : "nothing is silenced");
        return;
      } catch (error) {
        body.append(element("p", { class: "failed" }, url + " does not answer: " + error.message));
      }
    }
  }

  async function fill(section, panel, marks, view, isOld) {
    const body = element("div", {});
    let told = [];
    if (panel.shape === "silences") {
      await silences(body);
    } else {
      const series = await seriesOf(panel, view);
      if (isOld()) return;
      section.lastChild.replaceWith(body);  // in its place before it is measured
      told = missing(panel, series, view);
      if (panel.shape === "lines" && series.length) lines(body, panel, series, marks, view);
      else if (panel.shape === "timeline" && series.length) timeline(body, panel, series, view);
      else if (panel.shape === "strip" && series.length) strip(body, panel, series, view);
      else if (panel.shape === "tiles" && series.length) { tiles(body, panel, series, view); told = []; }
      else if (panel.shape === "table") told = table(body, panel, series, view);
    }
    told.slice(0, 6).forEach((text) => body.append(element("p", { class: "missing" }, text)));
    if (body !== section.lastChild) section.lastChild.replaceWith(body);
  }

  async function marksOf(board, view) {
    const answers = await Promise.all(board.marks.map((query) => asked(query, view)));
    return answers.flat().map((series) => ({ at: Math.min(...series.points.keys()), text: series.name }));
  }

  async function show() {
    const mine = ++round, view = chosen();
    document.body.dataset.ready = "";
    const marks = await marksOf(view.board, view).catch(() => []);
    if (mine !== round) return;
    const main = document.getElementById("panels");
    if (main.dataset.board !== view.board.uid) frame(main, view.board);
    drawn.forEach((chart) => chart.destroy());
    drawn = [];
    await Promise.all(view.board.panels.map((panel, index) => fill(main.children[index], panel, marks, view,
      () => mine !== round)
      .catch((error) => main.children[index].lastChild.replaceWith(element("div", { class: "failed" },
        "Prometheus does not answer this: " + error.message)))));
    if (mine !== round) return;
    document.getElementById("clock").textContent = hour(view.to);
    document.body.dataset.ready = view.board.uid;
  }

  function frame(main, board) {
    main.dataset.board = board.uid;
    document.getElementById("said").textContent = board.description;
    main.replaceChildren(...board.panels.map((panel) => {
      const section = element("section", { title: panel.alerts.join(", ") }, element("h2", {}, panel.title),
        element("p", {}, panel.description), element("div", {}));
      section.style.gridColumn = "span " + panel.width;
      return section;
    }));
    [...document.getElementById("boards").children].forEach((one) => one.classList.toggle("here", one.dataset.uid === board.uid));
  }

  function options(id, pairs, now, change) {
    const made = document.getElementById(id);
    made.replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
    made.value = now;
    made.addEventListener("change", () => change(made.value));
  }

  async function start() {
    model = await (await fetch("boards.json")).json();
    document.getElementById("site").textContent = model.site;
    document.getElementById("boards").replaceChildren(...model.boards.map((one) => {
      const link = element("a", { href: "#", "data-uid": one.uid }, one.title);
      link.addEventListener("click", (event) => { event.preventDefault(); go({ board: one.uid }); });
      return link;
    }));
    const view = chosen();
    options("host", [["", "all"], ...model.hosts.map((one) => [one, one])], view.host, (host) => go({ host }));
    options("range", RANGES, view.range, (range) => go({ range, from: "", to: "" }));
    addEventListener("hashchange", show);
    await show();
    if (!view.fixed) setInterval(() => { if (!document.hidden) show(); }, EVERY_MS);
  }

  start().catch((error) => { document.getElementById("said").textContent = "The wall cannot start: " + error.message; });
})();
