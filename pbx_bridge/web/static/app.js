// What all pages need of a browser. Every page works without it; it makes them pleasant.
"use strict";
(() => {
  const root = document.documentElement;
  const path = document.body.dataset.base || "/";
  const keep = (name, value) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${name}=${encodeURIComponent(value)}; Path=${path}; Max-Age=31536000; SameSite=Lax${secure}`;
  };
  // encodeURIComponent would write a zone's slash as %2F, which the server need not undo.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[\w+\-/]+$/.test(zone)) {
    document.cookie = `pbxb_zone=${zone}; Path=${path}; Max-Age=31536000; SameSite=Lax`;
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-theme-switch], [data-opens], [data-closes]");
    if (!target) return;
    if ("themeSwitch" in target.dataset) {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      keep("pbxb_theme", root.dataset.theme);
    }
    if (target.dataset.opens) document.getElementById(target.dataset.opens)?.showModal();
    if ("closes" in target.dataset) target.closest("dialog")?.close();
  });

  // Menus close by Escape and by a click elsewhere, as people expect.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.me[open], details.menu-of[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.me[open], details.menu-of[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  // A filter is used as soon as it is chosen; its button is for browsers without scripts.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-at-once]");
    if (form) form.requestSubmit();
  });

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.dataset.sent || form.method === "get") return;
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });

  // The stream of changes: say when it is broken, and take it up again when it is only silent.
  const strip = document.getElementById("connection");
  if (strip) {
    const SILENT = 25000; // the server says every ten seconds that it lives
    let heard = Date.now(), source = null, leaving = false;
    const lives = () => { heard = Date.now(); strip.hidden = true; };
    const lost = () => {
      if (leaving || !strip.hidden) return;
      strip.textContent = `${strip.dataset.lost} ${new Date(heard).toLocaleTimeString()}.`;
      strip.hidden = false;
    };
    document.body.addEventListener("htmx:sseOpen", (event) => {
      source = event.detail.source;
      source.addEventListener("alive", lives);
      lives();
    });
    document.body.addEventListener("htmx:sseError", lost);
    addEventListener("pagehide", () => { leaving = true; });
    addEventListener("pageshow", () => { leaving = false; });
    const look = () => {
      if (!source || Date.now() - heard < SILENT) return;
      lost();
      if (source.readyState !== EventSource.OPEN) return; // it is being tried
      const silent = source;
      silent.close();
      silent.onerror(new Event("error")); // by this the extension opens another
    };
    setInterval(look, 5000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  }
})();
