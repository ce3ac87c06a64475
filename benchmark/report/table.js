"use strict";
// What every page has: a theme, tables that sort, and drawings of costs of which one is shown. It may be loaded in the head, so that the theme is there at once.
(() => {
  // Theme: as the system says, or the other one, and the same on the next page.
  const themes = ["system", "light", "dark"];
  const stored = (name, ...value) => {
    try {
      return value.length ? localStorage.setItem(name, value[0]) : localStorage.getItem(name);
    } catch { return null; } // a browser may forbid it
  };
  let theme = themes.includes(stored("vpbench-theme")) ? stored("vpbench-theme") : "system";
  const show = (button) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    if (button) button.textContent = `Theme: ${theme}`;
  };
  show();

  // A click on a heading sorts by it, best or largest first, a second click the other way.
  const order = (table, heading, way) => {
    const column = heading.cellIndex, sign = way === "ascending" ? 1 : -1;
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", way);
    const value = (row) => row.cells[column].dataset.value;
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
        return sign * (column === 0 ? x.localeCompare(y, "en", { numeric: true }) : x - y);
      });
      body.append(...rows);
    }
  };
  const start = () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    show(button);
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % 3];
      stored("vpbench-theme", theme);
      show(button);
    });
    document.querySelectorAll("table.scores").forEach((table) => {
      table.querySelectorAll("thead button.sort").forEach((sort) => sort.addEventListener("click", () => {
        const heading = sort.closest("th"), { first } = heading.dataset;
        const other = first === "ascending" ? "descending" : "ascending";
        order(table, heading, heading.getAttribute("aria-sort") === first ? other : first);
        table.dispatchEvent(new Event("sorted"));
      }));
      // Another script may ask for an order, as that of an address.
      table.addEventListener("sort", ({ detail }) => order(table, detail.heading, detail.way));
    });
    document.querySelectorAll(".costs").forEach((box) => {
      const figures = [...box.querySelectorAll(".cost")], choice = document.createElement("div");
      if (figures.length < 2) return;
      choice.className = "choice";
      choice.setAttribute("role", "group");
      choice.setAttribute("aria-label", "Cost");
      const buttons = figures.map((figure) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = figure.querySelector("figcaption").textContent.replace(/^Score against /, "");
        button.addEventListener("click", () => turn(figure));
        choice.append(button);
        return button;
      });
      const turn = (shown) => figures.forEach((figure, n) => {
        figure.hidden = figure !== shown;
        buttons[n].setAttribute("aria-pressed", figure === shown);
      });
      box.classList.add("choosing");
      box.prepend(choice);
      turn(figures[0]);
    });
  };
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
