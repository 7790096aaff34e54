// The board counts on by itself, and says when it is not fresh any more.
"use strict";
(() => {
  const region = document.getElementById("live-region");
  const said = document.getElementById("live-said");
  const STALE = 25, ASK = 12; // seconds: the server says every ten that it lives
  let shownAt = Date.now(), skew = 0, asked = 0, told = "";

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  const taken = () => {
    const board = document.getElementById("board");
    shownAt = Date.now();
    skew = Number(board.dataset.now) - shownAt / 1000; // our clock may be wrong
    if (board.dataset.said !== told) {
      told = board.dataset.said;
      setTimeout(() => { if (said.textContent !== told) said.textContent = told; }, 1500);
    }
    tick();
  };

  const tick = () => {
    const board = document.getElementById("board");
    const now = Date.now() / 1000 + skew, age = (Date.now() - shownAt) / 1000;
    for (const one of board.querySelectorAll("[data-since]")) {
      // Of a call that is not seen any more nobody knows how it goes on.
      if (!one.closest(".old")) one.textContent = clock(now - Number(one.dataset.since));
    }
    const strip = board.querySelector("[data-stale]");
    strip.hidden = age < STALE || document.getElementById("connection")?.hidden === false;
    if (!strip.hidden) {
      strip.textContent = `${region.dataset.lost} ${new Date(shownAt).toLocaleTimeString()}.`;
    }
    // Where no stream comes through, we ask.
    if (age > ASK && Date.now() - asked > ASK * 1000) {
      asked = Date.now();
      htmx.trigger(region, "again");
    }
  };

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "board" || event.detail.elt.id === "board") taken();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  taken();
  setInterval(tick, 1000);
})();
