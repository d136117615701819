// Milliseconds at work on this task: the time between signs of life, where no gap is longer than half a minute.
// Written into the form, and kept with every draft; a reload goes on from what the form holds.

const IDLE_AFTER_MS = 30_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "touchmove", "scroll"];

/** signal: ends the measuring, once another task is shown. */
export function measureActiveTime(field, signal) {
  let total = Number(field.value) || 0;
  let last = performance.now();

  function sign() {
    const now = performance.now();
    if (document.visibilityState === "visible") total += Math.min(now - last, IDLE_AFTER_MS);
    last = now;
    field.value = String(Math.round(total));
  }

  for (const name of SIGNS) document.addEventListener(name, sign, { passive: true, capture: true, signal });
  document.addEventListener("visibilitychange", () => { last = performance.now(); }, { signal });
}
