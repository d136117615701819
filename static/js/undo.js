// What was, up to fifty steps back, with the sentence that said each step.
import { announce } from "./announce.js";
import { gettext } from "./words.js";

const STEPS = 50;

export function pastSteps() {
  let past = [];
  return {
    /** state: as it was before the step that sentence says. */
    remember(state, sentence = "") {
      past = [...past.slice(1 - STEPS), { state, sentence }];
    },
    /** The sentence of the step that was remembered last, once it is known. */
    say(sentence) {
      past.at(-1).sentence = sentence;
    },
    /** The state before the last step, and says which it was; undefined where there is none. */
    back() {
      const last = past.pop();
      announce(!last ? gettext("Nothing to undo") : last.sentence ? gettext("Undone: %(step)s", { step: last.sentence }) : gettext("Undone"));
      return last?.state;
    },
  };
}
