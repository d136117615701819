// Flags by keyboard: f, then the letter of a flag, walks yes, no, not answered. And "no to the rest", one deliberate act.
import { announce } from "./announce.js";
import { letterOf } from "./key-table.js";
import { gettext } from "./words.js";

const AFTER = { "": "yes", yes: "no", no: "" };
const IN_WORDS = { yes: gettext("yes"), no: gettext("no"), "": gettext("not answered") };

/** show(): called when waiting begins or ends. press(letters): what the key does; letters: the one it wrote, and the one
    that stands at its place where another script is written. */
export function flagKeys({ show, press, says }) {
  let waiting = null; // an AbortController, until the letter came or the labeler turned to something else

  function end() {
    waiting?.abort();
    waiting = null;
    show();
  }

  return {
    isWaiting: () => Boolean(waiting),
    wait() {
      waiting?.abort();
      waiting = new AbortController();
      show();
      for (const elsewhere of ["focusin", "pointerdown"]) document.addEventListener(elsewhere, end, { signal: waiting.signal });
      announce(says());
    },
    /** For listenForKeys: takes the key that comes after f. */
    capture(event) {
      if (!waiting) return false;
      const isOther = event.ctrlKey || event.metaKey;
      if (!isOther && event.key.length > 1 && event.key !== "Escape") return false;
      end();
      if (isOther) return false;
      if (event.key !== "Escape") press([event.key.toLowerCase(), letterOf(event)]);
      return true;
    },
  };
}

/** Where the flag with one of the letters goes next, within an element: {field, answer, words}; null where none has it. */
export function nextAnswer(within, letters, fields) {
  const [row] = letters.map((letter) => within.querySelector(`[data-flag-key="${CSS.escape(letter)}"]`)).filter(Boolean);
  if (!row) return null;
  const field = row.querySelector("input").name;
  const answer = AFTER[fields[field] ?? ""];
  return { field, answer, words: `${row.dataset.flagName}, ${IN_WORDS[answer]}` };
}

/** {field: "no"} for every flag within that nobody answered. */
export function restIsNo(within) {
  return Object.fromEntries([...within.querySelectorAll("[data-flag-key] input[value='']:checked")].map((input) => [input.name, "no"]));
}
