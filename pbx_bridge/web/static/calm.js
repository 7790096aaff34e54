// A region with `data-calm` refreshes itself, but not under somebody's hands: not while a form in it
// is open, the mouse is down on it, a field has the focus or a message plays. News that was asked for
// before is left, and asked for again afterwards. Focus stays where it was, and what is new is said
// once (`data-say`), in a place that screen readers listen to.
"use strict";
(() => {
  const waiting = new Set();
  const said = document.createElement("p");
  said.className = "visually-hidden";
  said.setAttribute("role", "status");
  document.body.append(said);

  const busy = (region) =>
    region.matches(":active") || // a finger or the mouse is down: what it was put on must stay
    region.querySelector("details[open]") !== null ||
    [...region.querySelectorAll("audio")].some((audio) => !audio.paused) ||
    (region.contains(document.activeElement) &&
      document.activeElement.matches("input, textarea, select"));

  document.addEventListener("htmx:beforeRequest", (event) => {
    const region = event.detail.elt;
    if (!("calm" in region.dataset) || !busy(region)) return;
    event.preventDefault();
    waiting.add(region.id);
  });

  const settle = () => setTimeout(() => {
    for (const id of waiting) {
      const region = document.getElementById(id);
      if (region && busy(region)) continue;
      waiting.delete(id);
      if (region) htmx.trigger(region, "calm");
    }
  }, 200);
  for (const what of ["toggle", "focusout", "pause", "ended", "pointerup", "pointercancel"]) {
    document.addEventListener(what, settle, true);
  }

  let focused = "", told = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    const region = event.detail.target;
    if (!("calm" in region.dataset)) return;
    if (busy(region)) { // since it was asked for
      event.detail.shouldSwap = false;
      waiting.add(region.id);
      return;
    }
    focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    told = region.dataset.say || "";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const region = document.getElementById(event.detail.elt.id);
    if (!region || !("calm" in region.dataset)) return;
    // Unless it has gone on since, by a key that was pressed in between.
    if (focused && document.activeElement === document.body) {
      document.getElementById(focused)?.focus({ preventScroll: true });
    }
    focused = "";
    if (region.dataset.say && region.dataset.say !== told) said.textContent = region.dataset.say;
  });
})();
