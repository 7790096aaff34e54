// Single keys choose the period, unless somebody types or has switched single keys off.
"use strict";
document.addEventListener("keydown", (event) => {
  // What keys.js took, the second letter of g d for one, is no period.
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (document.body.dataset.keys !== "on" || event.target.closest("input, select, textarea, [tabindex='0'][role=group]")) return;
  const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
  if (link) link.click();
});
