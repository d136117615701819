// A work screen's script is started for the task that the page came with, and for each one that takes its place.
import { arrangePanels } from "./work-panels.js";

/** start(form, signal): listeners on the document and the window are to go with the signal, which ends once another
    task is shown; those inside the form go with it. */
export function eachTask(start) {
  let page = new AbortController();

  function begin() {
    page.abort();
    page = new AbortController();
    arrangePanels();
    start(document.querySelector("[data-screen]"), page.signal);
    performance.mark("usable"); // bench/pages.py reads it
  }

  document.addEventListener("next-task", begin);
  // What was swapped in is not in the browser's history as a page of its own: going back asks the server.
  addEventListener("popstate", () => location.reload());
  afterFirstPaint(begin);
}

/** The texts are there to be read before their script is at work; where nothing is painted (a tab behind another), the
    script does not wait for it. */
function afterFirstPaint(act) {
  let waits = true;
  const once = () => {
    if (!waits) return;
    waits = false;
    act();
  };
  requestAnimationFrame(() => setTimeout(once));
  setTimeout(once, 100);
}
