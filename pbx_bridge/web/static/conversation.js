// A conversation begins at its end; what is being written outlives a reload and a lost connection.
"use strict";
(() => {
  const body = document.querySelector("[data-draft]");
  const kept = `pbxb-draft ${location.pathname}`;
  const store = (work) => {
    try { return work(sessionStorage); } catch { return null; } // it may be switched off
  };
  if (body) {
    if ("sent" in body.dataset) {
      store((session) => session.removeItem(kept));
      const clean = new URL(location.href);
      clean.searchParams.delete("sent");
      history.replaceState(null, "", clean);
    } else if (!body.value) {
      body.value = store((session) => session.getItem(kept)) || "";
      if (body.value) addEventListener("load", () => body.dispatchEvent(new Event("input", { bubbles: true })));
    }
    body.addEventListener("input", () => store((session) => session.setItem(kept, body.value)));
  }
  const newest = document.querySelector("#thread .thread > li:last-child");
  if (newest && !location.hash) newest.scrollIntoView({ block: "nearest" });
})();
