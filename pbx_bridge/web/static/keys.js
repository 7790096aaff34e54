// Single keys, as people know them. Off in fields, with Ctrl, Alt or Meta, and where somebody has
// switched them off (data-keys on <body>, WCAG 2.1.4). The selected row is the one with the focus,
// so that keys, Tab and screen readers never disagree about where one is.
"use strict";
(() => {
  if (document.body.dataset.keys !== "on") return;
  const place = `pbxb-row ${location.pathname}`;
  const rows = () => [...document.querySelectorAll("[data-row]")];
  let chosen = ""; // the row that had the focus last, while nothing else has it
  // While news replace the rows nothing has the focus; the next key is still for the same row.
  const here = () => document.activeElement.closest("[data-row]")
    || (document.activeElement === document.body ? document.getElementById(chosen) : null);
  const remember = (row) => {
    try { sessionStorage.setItem(place, `${row.id} ${rows().indexOf(row)}`); } catch { /* off */ }
  };
  const select = (row) => {
    if (!row) return;
    const main = row.querySelector("[data-open]") || row.querySelector("a, button");
    main?.focus();
    row.scrollIntoView({ block: "nearest" });
    remember(row);
  };
  const move = (by) => {
    const all = rows();
    const at = all.indexOf(here());
    select(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]);
  };
  // A details opens and its first field gets the focus; anything else is clicked or focused.
  const use = (key) => {
    const within = here() || document.getElementById("main");
    const target = within.querySelector(key === "c" ? ".call-back .call" : `[data-key="${key}"]`);
    if (!target || target.disabled) return false;
    if (target.matches("details")) {
      target.open = true;
      target.querySelector(".form textarea, .form button, .form input:not([type=hidden])")?.focus();
    } else if (target.matches("input, textarea, select")) target.focus();
    else target.click();
    return true;
  };
  const sheet = () => document.getElementById("keys");
  const jump = (letter) => {
    const link = sheet()?.querySelector(`a[data-go="${letter}"]`);
    if (link) location.assign(link.href);
  };

  let went = 0; // when g was pressed
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target;
    if (target.matches("input, textarea, select") || target.isContentEditable) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    let done = true;
    if (Date.now() - went < 1500 && /^[a-z]$/.test(event.key)) {
      went = 0;
      jump(event.key);
    } else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "g") went = Date.now();
    else if (event.key === "?") sheet()?.showModal();
    else if (event.key === "/") {
      const field = document.querySelector('[role="search"] input:not([type="hidden"])');
      field?.focus();
      field?.select();
      done = Boolean(field);
    } else if (["o", "c", "r", "e", "s", "a", "n"].includes(event.key)) done = use(event.key);
    else done = false;
    if (done) event.preventDefault();
  });

  const mark = () => {
    const row = here();
    chosen = row ? row.id : "";
    for (const one of document.querySelectorAll("[data-row].selected")) {
      if (one !== row) one.classList.remove("selected");
    }
    if (row) {
      row.classList.add("selected");
      remember(row);
    }
  };
  document.addEventListener("focusin", mark);
  document.addEventListener("htmx:afterSettle", mark); // the row is another element by then

  // After a form was sent, the same row is selected again, or the one that took its place.
  let kept = "";
  try {
    kept = sessionStorage.getItem(place) || "";
    const from = document.referrer ? new URL(document.referrer).pathname : "";
    if (from !== location.pathname) kept = "";
  } catch { /* off */ }
  if (kept && !location.hash) {
    const [id, index] = kept.split(" ");
    const all = rows();
    select(document.getElementById(id) || all[Math.min(Number(index), all.length - 1)]);
  }
})();
