// What the page does beyond its tables, which stand without it. Nothing here asks for anything.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  root.classList.add("scripted");

  // Light and dark: the system's choice until the button says otherwise.
  const toggle = document.querySelector(".theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const remember = (value) => {
    try { localStorage.setItem("loadtest-theme", value); } catch { /* a file may have no storage */ }
  };
  const remembered = () => {
    try { return localStorage.getItem("loadtest-theme"); } catch { return null; }
  };
  const shown = () => toggle?.setAttribute("aria-pressed", String(isDark()));
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  shown();
  toggle?.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    shown();
    redraw();
  });
  system.addEventListener("change", () => { shown(); redraw(); });

  // A link into something folded opens it on the way.
  const arrive = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) clearFilter();
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView({ block: target.tagName === "TR" ? "center" : "start" });
    const focused = target.tagName === "DETAILS" ? target.querySelector("summary") : target;
    if (focused === target) focused.tabIndex = -1;
    focused.focus({ preventScroll: true });
  };
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link) return;
    if (link.dataset.cells && form) {
      // The rows that a claim rests on, and no others.
      event.preventDefault();
      clearFilter(link.dataset.cells.split(" ").filter(Boolean));
      history.pushState(null, "", "#endpoints");
      arrive();
    } else if (link.hash === location.hash) {
      // The same place again is no change of the hash.
      arrive();
    }
  });

  // Tables are sorted by the values behind their texts; what has none stays last.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (!cell || (cell.colSpan > 1)) return null;
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    return text === "" || text === "-" ? null : text.toLowerCase();
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  const sort = (table, header) => {
    const column = header.cellIndex;
    const up = header.getAttribute("aria-sort") !== "ascending";
    all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: key(row, column) }));
    rows.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return up ? compare(a.key, b.key) : compare(b.key, a.key);
    });
    body.append(...rows.map(({ row }) => row));
    const ranked = header.textContent.trim() === "rank" && up;
    table.toggleAttribute("data-resorted", !ranked);
  };
  for (const table of all("table.sortable")) {
    for (const header of all("thead th", table)) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(table, header));
      header.append(button);
    }
  }

  // A table that goes on beyond its right edge says so, until that edge is reached.
  const goesOn = ({ target }) =>
    target.classList.toggle("more", target.scrollWidth - target.clientWidth - target.scrollLeft > 1);
  const resized = new ResizeObserver((boxes) => boxes.forEach(goesOn));
  for (const box of all(".scroll")) {
    box.addEventListener("scroll", goesOn, { passive: true });
    resized.observe(box);
  }

  // The filter hides rows of the endpoints, and endpoints without a row left.
  const form = document.querySelector(".filter");
  const endpoints = all("details.endpoint");
  const fold = form?.querySelector(".fold");
  let claimed = null;
  const filter = () => {
    const text = form.elements.text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const interface_ = form.elements.interface.value;
    const verdict = form.elements.verdict.value;
    const active = text.length > 0 || interface_ !== "" || verdict !== "" || claimed !== null;
    let count = 0;
    document.getElementById("endpoints").classList.toggle("filtering", active);
    for (const endpoint of endpoints) {
      const rows = all("tr[data-text]", endpoint);
      let found = 0;
      for (const row of rows) {
        const has = row.dataset.text.toLowerCase();
        row.hidden = !(
          (!claimed || claimed.has(row.id)) &&
          text.every((word) => has.includes(word)) &&
          (!interface_ || row.dataset.interface === interface_) &&
          (!verdict || row.dataset.verdict === verdict)
        );
        if (!row.hidden && row.id) found += 1;
      }
      count += found;
      endpoint.hidden = found === 0;
      if (active && found) endpoint.open = true;
      endpoint.querySelector(".found").textContent = active && found ? `${found} of ${rows.filter((row) => row.id).length} rows` : "";
    }
    for (const heading of all("#endpoints h3.kind")) {
      let next = heading.nextElementSibling;
      let some = false;
      while (next?.matches("details")) {
        some ||= next.matches(".endpoint") && !next.hidden;
        next = next.nextElementSibling;
      }
      heading.hidden = !some;
    }
    form.querySelector("output").textContent = `${count} rows${claimed ? " that the claim rests on" : ""}`;
  };
  const clearFilter = (cells = null) => {
    form.reset();
    claimed = cells && new Set(cells);
    filter();
  };
  form?.addEventListener("input", filter);
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.querySelector(".clear").addEventListener("click", () => {
    clearFilter();
    endpoints.forEach((one) => { one.open = false; });
  });
  fold?.addEventListener("click", () => {
    const open = endpoints.some((one) => !one.open);
    endpoints.forEach((one) => { one.open = open; });
    fold.textContent = open ? "Close all" : "Open all";
  });

  // Charts are drawn when they come near, from one store of data, in the colours of the page.
  const store = JSON.parse(document.getElementById("charts").textContent);
  const tooltip = document.createElement("div");
  tooltip.className = "vega-tooltip";
  tooltip.setAttribute("aria-hidden", "true");
  document.body.append(tooltip);
  // Text only: a name in the data is no HTML.
  const showTooltip = (handler, event, item, value) => {
    tooltip.classList.toggle("visible", value !== null && value !== undefined && value !== "");
    if (!value) return;
    const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
    const table = document.createElement("table");
    for (const [name, text] of lines) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = text;
    }
    tooltip.replaceChildren(table);
    const { innerWidth: width, innerHeight: height } = window;
    const box = tooltip.getBoundingClientRect();
    tooltip.style.left = `${Math.max(4, Math.min(event.clientX + 12, width - box.width - 4))}px`;
    tooltip.style.top = `${Math.max(4, Math.min(event.clientY + 12, height - box.height - 4))}px`;
  };
  const draw = async (plot) => {
    const name = plot.dataset.chart;
    const spec = structuredClone(store.drawings[store.charts[name]]);
    // No wider than its place, with room for the names beside it.
    if (typeof spec.width === "number") {
      spec.width = Math.max(160, Math.min(spec.width, plot.clientWidth - 150));
    }
    if (spec.columns && spec.spec) {
      // As many beside each other as there is room for, none wider than its place.
      const room = plot.clientWidth - 150;
      const each = Math.max(160, Math.min(spec.spec.width, room));
      spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((room + 20) / (each + 20))));
      spec.spec = { ...spec.spec, width: each };
    }
    spec.description = plot.getAttribute("aria-label");
    spec.data = { name };
    spec.datasets = { [name]: store.datasets[name] };
    spec.config = { ...spec.config, ...(isDark() ? store.dark : store.light), background: "transparent" };
    plot.dataset.drawn = "drawing";
    const result = await vegaEmbed(plot, spec, {
      // Interpreted, not compiled: the policy allows no eval.
      ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip: showTooltip,
    });
    plot.view?.finalize();
    plot.view = result.view;
    plot.dataset.drawn = isDark() ? "dark" : "light";
  };
  const redraw = () => all(".plot[data-drawn]").forEach((plot) => draw(plot));
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) { near.unobserve(target); draw(target); }
    }
  }, { rootMargin: "300px" });
  all(".plot[data-chart]").forEach((plot) => near.observe(plot));

  // On paper there is nothing to click: open all but what wrk printed.
  addEventListener("beforeprint", () => {
    all("details:not([open]):not(.detail):not(.raw):not(.log)").forEach((one) => { one.open = true; one.dataset.printing = ""; });
  });
  addEventListener("afterprint", () => {
    all("details[data-printing]").forEach((one) => { one.open = false; delete one.dataset.printing; });
  });

  // Where one is, in the navigation.
  const links = all("nav a");
  const sections = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.dataset.seen = entry.isIntersecting ? "1" : "";
    const first = all("main > section").find((one) => one.dataset.seen);
    links.forEach((link) => {
      if (first && link.hash === `#${first.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }, { rootMargin: "-92px 0px -50% 0px" });
  all("main > section").forEach((section) => sections.observe(section));

  if (location.hash) arrive();
})();
