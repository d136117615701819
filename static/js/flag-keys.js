// Flags by keyboard: f, then the letter of a flag, walks yes, no, not answered. And "no to the rest", one deliberate act.
import { announce } from "./announce.js";
import { gettext } from "./words.js";

const AFTER = { "": "yes", yes: "no", no: "" };
const IN_WORDS = { yes: gettext("yes"), no: gettext("no"), "": gettext("not answered") };

/** show(): called when waiting begins or ends. press(letter): what the letter does. */
export function flagKeys({ show, press, says }) {
  let waiting = false;
  return {
    isWaiting: () => waiting,
    wait() {
      waiting = true;
      show();
      announce(says());
    },
    /** For listenForKeys: takes the key that comes after f. */
    capture(event) {
      if (!waiting || (event.key.length > 1 && event.key !== "Escape")) return false;
      waiting = false;
      if (event.key !== "Escape") press(event.key.toLowerCase());
      show();
      return true;
    },
  };
}

/** Where the flag with the letter goes next, within an element: {field, answer, words}; null where none has it. */
export function nextAnswer(within, letter, fields) {
  const row = within.querySelector(`[data-flag-key="${CSS.escape(letter)}"]`);
  if (!row) return null;
  const field = row.querySelector("input").name;
  const answer = AFTER[fields[field] ?? ""];
  return { field, answer, words: `${row.dataset.flagName}, ${IN_WORDS[answer]}` };
}

/** {field: "no"} for every flag within that nobody answered. */
export function restIsNo(within) {
  return Object.fromEntries([...within.querySelectorAll("[data-flag-key] input[value='']:checked")].map((input) => [input.name, "no"]));
}
