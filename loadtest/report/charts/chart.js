// What the pointer is on lights up in all panels of its chart, and says in words what it is.
"use strict";
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const textOf = (mark) => {
    // The browser would show a title as well, only later.
    const title = mark.querySelector(":scope > title");
    if (title) { mark.dataset.tip = title.textContent; title.remove(); }
    return mark.dataset.tip ?? "";
  };
  let lit = null;
  const light = (figure, name) => {
    if (lit && lit !== figure) light(lit, undefined);
    lit = figure;
    figure.classList.toggle("hovering", name !== undefined);
    for (const mark of figure.querySelectorAll("[data-s]")) mark.classList.toggle("on", mark.dataset.s === name);
  };
  document.addEventListener("pointerover", ({ target }) => {
    const figure = target.closest?.("figure.chart");
    const mark = figure && target.closest("[data-s]");
    if (figure ?? lit) light(figure ?? lit, mark?.dataset.s);
    tip.textContent = mark ? textOf(mark) : "";
    tip.hidden = !tip.textContent;
  });
  // The server that a reader says to run is bold in every chart.
  const base = document.getElementById("base");
  const mark = () => {
    for (const each of document.querySelectorAll(".plot [data-s]")) each.classList.toggle("mine", each.dataset.s === base?.value);
  };
  if (base) ["change", "hashchange"].forEach((kind) => addEventListener(kind, mark));
  mark();
  document.addEventListener("pointermove", ({ clientX, clientY }) => {
    if (tip.hidden) return;
    tip.style.left = `${Math.max(4, Math.min(clientX + 14, innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(clientY + 14, innerHeight - tip.offsetHeight - 4))}px`;
  });
})();
