// "I run", "Load" and "Endpoints" of the figure of costs. What is chosen stands in the page's
// address, as in `#answer?i=gunicorn-gthread&r=200&e=json-sync`.
"use strict";
(() => {
  const table = document.querySelector("table.cost");
  const store = document.getElementById("costs");
  if (!table || !store) return;
  const { low, high, interfaces, servers, costs } = JSON.parse(store.textContent);
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => a.dataset.server - b.dataset.server);
  const choices = { i: document.getElementById("base"), e: document.getElementById("over"), of: document.getElementById("of") };
  // Only a run with loads at a rate has the choice.
  const load = document.getElementById("load");
  if (load) choices.r = load;

  const digits = (value) => value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
  const ratio = (value) => (value >= 9.995 ? digits(value) : value >= 0.095 ? value.toFixed(2) : String(Number(value.toPrecision(2))));
  // An interval that is narrower than a ratio's digits gets more of them.
  const between = (low, high) => {
    if (!low || !high) return "";
    const text = [ratio, (value) => String(Number(value.toPrecision(4)))].find((text) => text(low) !== text(high));
    return text ? ` (${text(low)} to ${text(high)})` : "";
  };
  const at = (value) => `${(100 * Math.log(value / low) / Math.log(high / low)).toFixed(1)}%`;
  const set = (row, selector, text) => { row.querySelector(selector).textContent = text; };

  // The cost of one server against another's, whichever way round the pair is stored.
  const pair = (pairs, server, base) => {
    for (const [a, b, is, least, most] of pairs) {
      if (a === server && b === base) return [is, least, most];
      if (b === server && a === base) return [1 / is, most && 1 / most, least && 1 / least];
    }
    return null;
  };

  const draw = () => {
    const rate = load?.selectedIndex ? `@${load.value}` : "";
    // Where nobody kept a rate there is no cost at it.
    const { places, pairs } = costs[choices.e.value + rate] ?? { places: [], pairs: [] };
    for (const each of document.querySelectorAll("[data-load]")) each.hidden = Boolean(load) && each.dataset.load !== load.value;
    const databases = choices.of.value === "databases";
    const cores = (place) => (databases ? place[2] ?? place[1] : place[1]);
    const sorted = [...places].sort((a, b) => cores(a) - cores(b));
    const mine = servers.indexOf(choices.i.value);
    const base = sorted.find((place) => place[0] === mine) ?? sorted[0];
    const chosen = base?.[0] === mine;
    set(table, "thead .base", chosen ? choices.i.value : "the cheapest");
    const without = rows.filter((row) => !sorted.some(([server]) => rows[server] === row));
    body.append(...sorted.map(([server]) => rows[server]), ...without);
    // What the mean is of is said of the first choice.
    document.querySelector(".note").hidden = choices.e.selectedIndex > 0 || rate !== "";
    const changes = sorted.filter(([server], at) => at && interfaces[server] !== interfaces[sorted[at - 1][0]]);
    for (const row of rows) {
      row.classList.remove("parted", "mine");
      row.hidden = without.includes(row) && row.querySelector(".cores") !== null;
    }
    if (changes.length === 1) rows[changes[0][0]].classList.add("parted");
    if (chosen) rows[mine].classList.add("mine");
    for (const place of sorted) {
      const [server, , , least, most, rate, doubt] = place;
      const row = rows[server];
      if (!row.querySelector(".cores")) continue;
      const range = row.querySelector(".range");
      range.setAttribute("x1", at(databases ? cores(place) : least ?? cores(place)));
      range.setAttribute("x2", at(databases ? cores(place) : most ?? cores(place)));
      row.querySelector("circle").setAttribute("cx", at(cores(place)));
      set(row, ".cores", digits(cores(place)));
      const known = databases ? [cores(place) / cores(base), null, null] : pair(pairs, server, base[0]);
      set(row, ".times", place === base ? "1" : !known ? "-"
        : `${ratio(known[0])}×${between(known[1], known[2])}`);
      set(row, ".rate", rate ? digits(rate) : "-");
      set(row, ".doubt", doubt);
    }
  };

  // The address and what else is chosen in it are the page's, see `page.js`.
  const { address } = window;
  const read = () => {
    for (const [key, select] of Object.entries(choices)) {
      const value = address.chosen.get(key);
      select.value = [...select.options].some((option) => option.value === value) ? value : select.options[0].value;
    }
    draw();
  };
  for (const [key, select] of Object.entries(choices)) {
    select.addEventListener("change", () => {
      address.write({ [key]: select.selectedIndex ? select.value : "" }, "answer");
      draw();
    });
  }
  addEventListener("hashchange", read);
  read();
})();
