// What only the pages of a site have: the rows of a leaderboard that fit the filters, which the address remembers.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("filters"), table = document.querySelector("#table .scores");
  const done = () => { document.documentElement.dataset.ready = "true"; };
  if (!form || !table) return done();

  const count = document.getElementById("count"), fields = form.elements;
  const headings = [...table.tHead.rows[1].cells];
  const measured = [], published = [];
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      if (row.classList.contains("divider")) continue;
      const names = row.cells[0].textContent.toLowerCase();
      (body.classList.contains("published") ? published : measured).push({ row, names, body });
    }
  }
  const dots = [...document.querySelectorAll(".cost .row")];
  const value = (name) => (fields[name] ? fields[name].value.trim() : "");
  const checked = (name) => !fields[name] || fields[name].checked;

  // 500k is 500,000; nothing is no limit, and what is no number is said.
  const limit = () => {
    const text = value("most").replace(/,/g, "");
    if (!text) return Infinity;
    const found = /^(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([kmgt]?)$/i.exec(text);
    return found ? Number(found[1]) * { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }[found[2].toLowerCase()] : NaN;
  };

  const apply = () => {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const most = limit(), wrong = Number.isNaN(most);
    const cost = headings.findIndex((heading) => heading.dataset.key === value("cost"));
    if (fields.most) fields.most.setAttribute("aria-invalid", wrong);
    const named = ({ names }) => words.every((word) => names.includes(word));
    const cheap = (row) => {
      if (wrong || most === Infinity || cost < 0) return true;
      const known = row.cells[cost].dataset.value;
      return known !== undefined && Number(known) <= most;
    };
    let shown = 0, unknown = 0;
    const labels = new Set();
    for (const entry of measured) {
      const { row } = entry;
      const fits = named(entry) && (!value("training") || row.dataset.training === value("training"))
        && (!value("seen") || row.dataset.seen === value("seen"));
      row.hidden = !(fits && cheap(row));
      if (row.hidden) {
        if (fits && row.cells[cost].dataset.value === undefined) unknown++;
      } else {
        shown++;
        labels.add(row.cells[0].dataset.value);
      }
    }
    let papers = 0;
    for (const entry of published) {
      entry.row.hidden = !(named(entry) && checked("published"));
      if (!entry.row.hidden) papers++;
    }
    if (published.length) published[0].body.hidden = papers === 0;
    table.classList.toggle("means", !checked("intervals"));
    dots.forEach((dot) => dot.classList.toggle("off", !labels.has(dot.dataset.label)));
    count.textContent = [
      `${shown === measured.length ? "" : `${shown} of `}${measured.length} row${measured.length === 1 ? "" : "s"}`,
      ...(papers ? [`${papers} published`] : []),
      ...(unknown ? [`${unknown} hidden of which this cost is not known`] : []),
      ...(wrong ? ["“at most” is no number such as 500k, 2.5M or 40"] : []),
    ].join("; ");
  };

  const remember = () => {
    const kept = new URLSearchParams();
    for (const name of ["q", "training", "seen", "most"]) if (value(name)) kept.set(name, value(name));
    if (value("most")) kept.set("cost", value("cost"));
    for (const name of ["intervals", "published"]) if (!checked(name)) kept.set(name, "no");
    const sorted = table.querySelector("th[aria-sort]");
    if (sorted) kept.set("sort", `${sorted.dataset.key} ${sorted.getAttribute("aria-sort")}`);
    try {
      history.replaceState(null, "", `${kept}` ? `#${kept}` : location.pathname + location.search);
    } catch { /* some browsers refuse it for files */ }
  };
  const recall = () => {
    const kept = new URLSearchParams(location.hash.slice(1));
    form.reset();
    for (const name of ["q", "training", "seen", "most", "cost"]) {
      const asked = kept.get(name);
      if (asked === null || !fields[name]) continue;
      const known = fields[name].options && ![...fields[name].options].some((option) => option.value === asked);
      if (!known) fields[name].value = asked;
    }
    for (const name of ["intervals", "published"]) if (fields[name]) fields[name].checked = kept.get(name) !== "no";
    const [key, way] = (kept.get("sort") || "").split(" ");
    const heading = headings.find((one) => one.dataset.key === key);
    if (heading && ["ascending", "descending"].includes(way)) {
      table.dispatchEvent(new CustomEvent("sort", { detail: { heading, way } }));
    }
    apply();
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { apply(); remember(); });
  form.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
  table.addEventListener("sorted", remember);
  addEventListener("hashchange", recall);
  recall();
  done();
});
