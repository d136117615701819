// Reviewing a text: accept it, return it with remarks, or leave it for later. Remarks are kept on this device until
// they are sent.
import { openKeys } from "./key-overlay.js";
import { readFields, writeFields } from "./form-fields.js";
import { listenForKeys } from "./keyboard.js";
import { keepWork } from "./save-state.js";
import { submitWork } from "./submit-work.js";
import { gettext } from "./words.js";
import { arrangePanels, toggleGuideline } from "./work-panels.js";

const form = document.querySelector("[data-review]");
const remarks = form.elements.remarks;
const outcome = form.querySelector("[data-outcome]");
const work = remarks && keepWork(form, document.querySelector("[data-save]"));
const say = (sentence) => { outcome.textContent = sentence; };

function decide(decision) {
  if (!work) return false;
  if (decision === "returned" && !remarks.value.trim()) {
    remarks.focus();
    return say(gettext("Say what to change, then press Ctrl ⏎ to return it."));
  }
  const prepare = (body) => { body.set("decision", decision); return body; };
  const mark = (problems) => { if (problems.some(({ place }) => place === "remarks")) remarks.focus(); };
  submitWork(form, { work, say, mark, prepare });
}

/** From within the remarks: what has remarks is returned. */
function send() {
  if (remarks?.value.trim()) return decide("returned");
  return say(gettext("Press a to accept it, or write remarks to return it."));
}

form.addEventListener("input", () => work?.write(readFields(form)));
form.addEventListener("submit", (event) => { event.preventDefault(); decide(event.submitter?.value ?? ""); });

listenForKeys({
  accept: () => decide("accepted"),
  return: () => decide("returned"),
  later: () => location.assign(form.dataset.next),
  submit: send, guideline: toggleGuideline, keys: openKeys,
});

arrangePanels();
if (work) {
  writeFields(form, work.begin());
  work.onChangeElsewhere((fields) => writeFields(form, fields));
}
