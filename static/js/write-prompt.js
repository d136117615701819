// Writing a prompt: how it will read beside it, a count against the limit, kept at every pause. The parts of the sheet
// follow the style by CSS alone.
import { measureActiveTime } from "./active-time.js";
import { announce } from "./announce.js";
import { readFields, writeFields } from "./form-fields.js";
import { openKeys } from "./key-overlay.js";
import { listenForKeys } from "./keyboard.js";
import { preview } from "./markdown-preview.js";
import { keepWork } from "./save-state.js";
import { submitWork } from "./submit-work.js";
import { gettext, inWords } from "./words.js";
import { openSkip, toggleGuideline } from "./work-panels.js";
import { eachTask } from "./work.js";

const PLAIN = "plain";
const ROLES = { user: gettext("user"), assistant: gettext("assistant"), system: gettext("system") };

function turnNode([role, text], isConversation) {
  const turn = Object.assign(document.createElement("div"), { className: `turn turn--${role}` });
  const prose = Object.assign(document.createElement("div"), { className: "prose", dir: "auto" });
  prose.append(...preview(text));
  if (isConversation) turn.append(Object.assign(document.createElement("p"), { className: "turn__role", textContent: ROLES[role] }));
  turn.append(prose);
  return turn;
}

function markField(field, message) {
  const said = Object.assign(document.createElement("span"), { className: "field__problem", textContent: message });
  said.dataset.problem = "";
  field.setAttribute("aria-invalid", "true");
  field.closest(".field").append(said);
}

function start(form, signal) {
  const paper = form.querySelector("[data-preview]");
  const count = form.querySelector("[data-count]");
  const meter = form.querySelector("[data-meter]");
  const outcome = form.querySelector("[data-outcome]");
  const aside = form.querySelector("[data-like]");
  const work = keepWork(form, document.querySelector("[data-save]"), signal);

  const part = (name) => (form.elements[name]?.value ?? "").trim();

  /** Pairs of fields that are begun, until there is no such field. */
  function pairs(first, second) {
    const found = [];
    for (let number = 1; form.elements[`${first}-${number}`]; number += 1) {
      const pair = [part(`${first}-${number}`), part(`${second}-${number}`)];
      if (pair.some(Boolean)) found.push(pair);
    }
    return found;
  }

  /** The chat as the server will make it (prompt_writing.py): [role, text] of each turn. */
  function turns() {
    if (form.elements.style.value === "few_shot") {
      const examples = pairs("input", "output").map(([given, reply]) => `Input: ${given}\nOutput: ${reply}`);
      return [["user", [part("instruction"), ...examples, `Input: ${part("query")}\nOutput:`].join("\n\n")]];
    }
    const before = pairs("said", "replied").flatMap(([said, replied]) => [["user", said], ["assistant", replied]]);
    return [...before, ["user", part("text")]];
  }

  function show() {
    const said = turns();
    paper.replaceChildren(...said.map((turn) => turnNode(turn, said.length > 1)));
    const size = said.reduce((sum, [, text]) => sum + text.length, 0);
    meter.value = size;
    const over = size > meter.max;
    count.textContent = over ? gettext("%(many)s characters, at most %(most)s", { many: inWords(size), most: inWords(meter.max) })
      : gettext("%(many)s characters", { many: inWords(size) });
    count.toggleAttribute("data-over", over);
  }

  /** like: { says, text } of a prompt that is close to this one, or null. Said aloud once, and not again as one types. */
  function showLike(like) {
    const [says, text] = [aside.querySelector("[data-like-says]"), aside.querySelector("[data-like-text]")];
    const isNews = like && (aside.hidden || text.textContent !== like.text);
    aside.hidden = !like;
    says.textContent = like?.says ?? "";
    text.textContent = like?.text ?? "";
    if (isNews) announce(`${like.says} ${like.text}`);
  }

  /** Each problem at its field; a warning shows the box that answers it. */
  function mark(problems) {
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    for (const said of form.querySelectorAll("[data-problem]")) said.remove();
    const found = problems.map(({ place, message }) => [form.elements[place], message]).filter(([field]) => field?.name);
    for (const [field, message] of found) {
      field.closest("details")?.setAttribute("open", "");
      const box = field.closest("[data-sure]");
      if (box) box.hidden = false;
      else markField(field, message);
    }
    found[0]?.[0].focus();
  }

  function submit() {
    const say = (sentence) => { outcome.textContent = sentence; };
    submitWork(form, { work, say, mark });
  }

  function fill(fields) {
    writeFields(form, { style: PLAIN, ...fields });
    // A text that stands in a part behind a line is not to be overlooked.
    for (const more of form.querySelectorAll("details")) {
      if ([...more.querySelectorAll("textarea")].some((field) => field.value)) more.open = true;
    }
    show();
  }

  form.addEventListener("input", () => { show(); work.write(readFields(form)); });
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });

  listenForKeys({ submit, skip: openSkip, guideline: toggleGuideline, keys: openKeys }, { signal });

  fill(work.begin());
  work.onSaved(({ like = null }) => showLike(like));
  work.onChangeElsewhere(fill);
  measureActiveTime(form.querySelector("[data-active-ms]"), signal);
}

eachTask(start);
