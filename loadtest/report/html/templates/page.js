// What the page does beyond its tables, which stand without it. Nothing here asks for anything.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const bar = document.querySelector(".top");
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
  // The button says what it does.
  const shown = () => { if (toggle) toggle.textContent = isDark() ? "Light" : "Dark"; };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  shown();
  toggle?.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    shown();
  });
  system.addEventListener("change", shown);

  // The address has a place and what was chosen, as in `#endpoints?text=uvicorn&verdict=suspect`:
  // who opens it sees the same. Other scripts of the page use it, too.
  const address = {
    chosen: new URLSearchParams(),
    read() {
      const [place, chosen] = location.hash.slice(1).split("?");
      // A plain link to a place leaves what was chosen as it is.
      if (chosen !== undefined) address.chosen = new URLSearchParams(chosen);
      // Anybody may have written it: what is no encoding is a place that there isn't.
      try { return decodeURIComponent(place); } catch { return place; }
    },
    write(changes, place = address.read()) {
      for (const [key, value] of Object.entries(changes)) {
        if (value) address.chosen.set(key, value);
        else address.chosen.delete(key);
      }
      const chosen = String(address.chosen);
      history.replaceState(null, "", `#${encodeURIComponent(place)}${chosen && `?${chosen}`}`);
    },
  };
  window.address = address;

  // A link into something folded opens it on the way.
  const arrive = () => {
    const target = document.getElementById(address.read());
    choose();
    if (!target) return;
    if (target.closest("[hidden]")) clearFilter();
    address.write({});
    const inner = target.querySelector(":scope > details:only-child") ?? target;
    for (let at = inner; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    // Of a row, with the heads of its table: in a box that scrolls, or if there is room for both.
    const table = target.closest("table");
    if (table) goesOn({ target: table.parentElement });
    const box = target.closest(".over");
    const from = (of) => target.getBoundingClientRect().bottom - of.getBoundingClientRect().top;
    const fits = table && from(table) < innerHeight - bar.offsetHeight - 16;
    (box ?? (fits ? table : target)).scrollIntoView({ block: "start" });
    if (box) box.scrollTop += from(box) - box.clientHeight / 2;
    all(".cited").forEach((row) => row.classList.remove("cited"));
    if (target.tagName === "TR") target.classList.add("cited");
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
      const rows = link.dataset.cells.trim().replaceAll(" ", ",");
      history.pushState(null, "", location.href);
      address.write({ text: "", interface: "", verdict: "", rows }, "endpoints");
      arrive();
    } else if (link.hash === location.hash) {
      // The same place again is no change of the hash.
      arrive();
    }
  });

  // Tables are sorted by what their texts mean; what has no value stays last.
  const FACTORS = { "µs": 1e-6, us: 1e-6, ms: 1e-3, s: 1, kB: 1e3, MB: 1e6, GB: 1e9 };
  const key = (row, column) => {
    const cell = row.cells[column];
    if (!cell || cell.colSpan > 1) return null;
    const text = cell.textContent.trim();
    if (text === "" || text === "-") return null;
    const number = cell.tagName === "TD" && /^[<>+]?(-?[\d,.]+)(?: (µs|us|ms|s|kB|MB|GB)\b)?/.exec(text);
    return number ? Number(number[1].replaceAll(",", "")) * (FACTORS[number[2]] ?? 1) : text.toLowerCase();
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
    bracket(table);
  };
  // Servers that share a rank stand in one bracket: of the rows that can be seen, in its order.
  const bracket = (table) => {
    const rows = table.matches("[data-resorted]") ? [] : all("tbody tr:not([hidden])", table);
    const ranks = rows.map((row) => row.cells[0].textContent.trim()).map((rank) => (rank.endsWith("=") ? rank : null));
    all("tr[data-tie]", table).forEach((row) => delete row.dataset.tie);
    rows.forEach((row, at) => {
      const above = ranks[at - 1] === ranks[at];
      const below = ranks[at + 1] === ranks[at];
      if (ranks[at] && (above || below)) row.dataset.tie = above && below ? "inner" : above ? "last" : "first";
    });
  };
  all("table.ranking").forEach(bracket);
  for (const table of all("table.sortable")) {
    for (const header of all("thead th", table)) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(table, header));
      header.append(button);
    }
  }

  // A table too wide for its box says so until its edge is reached; only such a box scrolls, and
  // takes the focus.
  const goesOn = ({ target }) => {
    const over = target.scrollWidth - target.clientWidth > 1;
    target.classList.toggle("over", over);
    target.classList.toggle("more", over && target.scrollWidth - target.clientWidth - target.scrollLeft > 1);
    if (over) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  };
  const low = () => root.style.setProperty("--bar", `${bar.offsetHeight}px`);
  new ResizeObserver(low).observe(bar);
  const resized = new ResizeObserver((boxes) => boxes.forEach(goesOn));
  for (const box of all(".scroll")) {
    box.addEventListener("scroll", goesOn, { passive: true });
    resized.observe(box);
  }

  // The filter hides rows of the endpoints, and endpoints without a row left.
  const form = document.querySelector(".filter");
  const endpoints = all('#endpoints details[id^="endpoint-"]');
  const fold = form?.querySelector(".fold");
  const FIELDS = ["text", "interface", "verdict"];
  const filter = () => {
    const words = form.elements.text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const interface_ = form.elements.interface.value;
    const verdict = form.elements.verdict.value;
    const rows = address.chosen.get("rows")?.split(",");
    const active = words.length > 0 || Boolean(interface_ || verdict || rows);
    let count = 0;
    document.getElementById("endpoints").classList.toggle("filtering", active);
    for (const endpoint of endpoints) {
      const about = endpoint.querySelector("summary").textContent + endpoint.querySelector("p").textContent;
      const kind = endpoint.closest("section > div").querySelector("h3").textContent;
      let left = 0;
      for (const row of all("tr[id]", endpoint)) {
        const has = `${row.textContent} ${about} ${kind}`.toLowerCase();
        row.hidden = !(
          (!rows || rows.includes(row.id)) &&
          words.every((word) => has.includes(word)) &&
          (!interface_ || row.querySelector(`.interface.${interface_}`)) &&
          (!verdict || row.classList.contains(verdict))
        );
        left += !row.hidden;
      }
      count += left;
      endpoint.hidden = left === 0;
      if (active && left) endpoint.open = true;
      all("table.ranking", endpoint).forEach(bracket);
    }
    for (const kind of all("#endpoints > div")) kind.hidden = all("details[id]:not([hidden])", kind).length === 0;
    form.querySelector("output").textContent = `${count} rows${rows ? " that the claim rests on" : ""}`;
  };
  // What the address says was chosen: rows by the filter, and which figure the matrix shows.
  const choose = () => {
    const figure = all('.switch input').find((input) => input.value === address.chosen.get("show"));
    if (figure) figure.checked = true;
    if (!form) return;
    for (const name of FIELDS) form.elements[name].value = address.chosen.get(name) ?? "";
    filter();
  };
  const clearFilter = () => {
    address.write({ text: "", interface: "", verdict: "", rows: "" });
    choose();
  };
  form?.addEventListener("input", () => {
    address.write(Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value])), "endpoints");
    filter();
  });
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.querySelector(".clear").addEventListener("click", () => {
    clearFilter();
    endpoints.forEach((endpoint) => { endpoint.open = false; });
  });
  for (const input of all(".switch input")) {
    input.addEventListener("change", () => address.write({ show: input.value }, input.closest("[id]").id));
  }

  // One stop of the Tab key for the whole matrix; arrows lead from one to the next.
  for (const matrix of all("table.matrix")) {
    const rows = [...matrix.rows].map((row) => [...row.cells]).filter((cells) => cells.length > 1);
    const links = rows.flat().map((cell) => cell.querySelector("a")).filter(Boolean);
    links.slice(1).forEach((link) => { link.tabIndex = -1; });
    matrix.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      const cell = event.target.closest("td, th");
      if (!step || !cell) return;
      const row = rows.findIndex((cells) => cells.includes(cell));
      const next = rows[row + step[0]]?.[rows[row].indexOf(cell) + step[1]]?.querySelector("a");
      if (!next) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  fold?.addEventListener("click", () => {
    const open = endpoints.some((endpoint) => !endpoint.open);
    endpoints.forEach((endpoint) => { endpoint.open = open; });
    fold.textContent = open ? "Close all" : "Open all";
  });

  // On paper there is nothing to click: open all but what wrk printed.
  addEventListener("beforeprint", () => {
    all("details:not([open])").filter((one) => !one.closest("#raw")).forEach((details) => { details.open = true; details.dataset.printing = ""; });
  });
  addEventListener("afterprint", () => {
    all("details[data-printing]").forEach((details) => { details.open = false; delete details.dataset.printing; });
  });

  // Where one is, in the navigation.
  const links = all("nav a");
  const sections = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.dataset.seen = entry.isIntersecting ? "1" : "";
    const first = all("main > section").find((section) => section.dataset.seen);
    links.forEach((link) => {
      if (first && link.hash === `#${first.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }, { rootMargin: "-92px 0px -50% 0px" });
  all("main > section").forEach((section) => sections.observe(section));

  arrive();
  // Whoever comes by a link to a place is taken there by the browser, to nothing but the row itself.
  addEventListener("load", () => { if (address.read()) setTimeout(arrive); });
})();
