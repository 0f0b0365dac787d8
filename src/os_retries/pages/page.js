// The charts of the page: hover, zoom, and policies on and off. The numbers are in the element "numbers".
(() => {
  "use strict";
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const place = document.getElementById("charts");
  const last = numbers.seconds[numbers.seconds.length - 1];
  const shown = numbers.policies.map(() => true);
  const plots = [];

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const curve = policy => `--curve-${policy % 8}`;
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const round = value => value == null ? "" : String(Math.round(value * 1000) / 1000);

  // Zoom: all charts show the same time.
  const zoom = (from, to) => {
    const width = Math.min(last, Math.max(to - from, last / 500));
    const min = Math.min(Math.max(0, from), last - width);
    for (const plot of plots) plot.setScale("x", {min, max: min + width});
    place.dataset.from = round(min);
    place.dataset.to = round(min + width);
  };
  const by = factor => {
    const {min, max} = plots[0].scales.x;
    zoom((min + max - (max - min) * factor) / 2, (min + max + (max - min) * factor) / 2);
  };

  // Policies on and off: in all charts, in the table, and what else belongs to one.
  const boxes = [];
  const show = (policy, on) => {
    shown[policy] = on;
    boxes[policy].checked = on;
    for (const plot of plots) if (plot.series[policy + 1].show !== on) plot.setSeries(policy + 1, {show: on});
    for (const each of document.querySelectorAll(`[data-policy="${policy}"]`)) {
      if (each.matches("tr")) each.classList.toggle("hidden", !on);
      else each.hidden = !on;
    }
  };
  for (const row of document.querySelectorAll("tr[data-policy]")) {
    const policy = Number(row.dataset.policy), head = row.querySelector("th");
    const swatch = element("span", {className: "swatch"});
    swatch.style.background = `var(${curve(policy)})`;
    boxes[policy] = element("input", {type: "checkbox", checked: true});
    boxes[policy].addEventListener("change", () => show(policy, boxes[policy].checked));
    head.replaceChildren(element("label", {}, boxes[policy], swatch, head.textContent));
  }

  // Below the curves: when the service is in trouble. Above them: what it can take.
  const across = (plot, value, scale) => Math.round(plot.valToPos(value, scale, true));
  const spans = plot => {
    const {left, top, width, height} = plot.bbox;
    plot.ctx.save();
    plot.ctx.beginPath();
    plot.ctx.rect(left, top, width, height);
    plot.ctx.clip();
    plot.ctx.fillStyle = colour("--trouble");
    for (const [from, to] of numbers.trouble) {
      const begin = across(plot, from, "x");
      plot.ctx.fillRect(begin, top, across(plot, to, "x") - begin, height);
    }
    plot.ctx.restore();
  };
  const line = limit => plot => {
    if (!limit || limit[0] > plot.scales.y.max) return;
    const {left, width} = plot.bbox, at = across(plot, limit[0], "y");
    plot.ctx.save();
    plot.ctx.strokeStyle = colour("--dim");
    plot.ctx.lineWidth = devicePixelRatio;
    plot.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(left, at);
    plot.ctx.lineTo(left + width, at);
    plot.ctx.stroke();
    plot.ctx.restore();
  };

  const draw = chart => {
    const box = element("div", {className: "chart"});
    place.append(element("h3", {textContent: chart.title}), box);
    const axis = more => Object.assign({
      stroke: () => colour("--dim"), grid: {stroke: () => colour("--line"), width: 1}, ticks: {show: false},
      values: (_, marks) => marks.map(round),
    }, more);
    const highest = chart.limit ? chart.limit[0] : 0;
    const plot = new uPlot({
      width: box.clientWidth, height: 260,
      scales: {x: {time: false}, y: {range: (_, low, high) => [0, Math.max(high ?? 0, highest, 1) * 1.08]}},
      axes: [axis({size: 28}), axis({size: 60})],
      series: [
        {label: "second", value: (_, value) => round(value)},
        ...numbers.policies.map((label, policy) => ({
          label, stroke: () => colour(curve(policy)), width: 1.6, points: {show: false}, value: (_, value) => round(value),
        })),
      ],
      legend: {markers: {width: 3, stroke: (_, series) => `var(${curve(series - 1)})`}},
      cursor: {
        y: false, sync: {key: "os-retries"}, drag: {x: true, y: false, setScale: false},
        // A finger does not stay: what was tapped stays shown.
        bind: {mouseleave: (_, __, leave) => event => matchMedia("(hover: none)").matches ? null : leave(event)},
      },
      hooks: {
        drawClear: [spans], draw: [line(chart.limit)],
        setSelect: [plot => {
          const {left, width} = plot.select;
          if (width < 4) return;
          zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          plot.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
        }],
        // A click on a name in the legend shows the policy or hides it too.
        setSeries: [(plot, series) => {
          const policy = series - 1;
          if (policy >= 0 && plot.series[series].show !== shown[policy]) show(policy, plot.series[series].show);
        }],
      },
    }, [numbers.seconds, ...chart.curves], box);
    plot.over.addEventListener("dblclick", () => zoom(0, last));
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({width: box.clientWidth, height: plot.height});
    }).observe(box);
    plots.push(plot);
  };

  const button = (textContent, act) => {
    const made = element("button", {textContent, type: "button"});
    made.addEventListener("click", act);
    return made;
  };
  const zooms = element("div", {className: "zoom"}, button("Everything", () => zoom(0, last)));
  if (numbers.trouble.length) {
    const from = Math.min(...numbers.trouble.map(each => each[0])), to = Math.max(...numbers.trouble.map(each => each[1]));
    zooms.append(button("The trouble", () => zoom(from - (to - from) / 4, to + (to - from) / 4)));
  }
  zooms.append(button("Closer", () => by(0.5)), button("Wider", () => by(2)));
  const limits = numbers.charts.filter(each => each.limit).map(each => `; dashed: ${each.limit[1]}`);
  const grey = numbers.trouble.length ? "Grey: the service is in trouble" : "";
  place.replaceChildren(zooms, element("p", {
    className: "help",
    textContent: `Point at a chart for its numbers; drag to zoom, double-click for everything. ${grey}${limits.join("")}`,
  }));
  numbers.charts.forEach(draw);
  zoom(0, last);
  // The colours are read when a chart is drawn.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(plot => plot.redraw(false, true)));
})();
