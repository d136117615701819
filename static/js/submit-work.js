// Submits the form and goes to the next task. Whatever goes wrong, the words stay where they are and the page says what.
import { csrfToken, readFields } from "./form-fields.js";
import { newId } from "./new-id.js";
import { showNext } from "./next-task.js";
import { patience } from "./patience.js";
import { gettext } from "./words.js";

const ANSWER_MS = 15_000;

let underWay = false;
/** What each form said when it was sent last. */
const lastSent = new WeakMap();

/** say(sentence) shows the outcome; mark(problems) shows each problem at its place; prepare(FormData) has the last word
    on what is sent. */
export async function submitWork(form, { work, say, mark, prepare = (body) => body }) {
  if ("preview" in form.dataset) return say(gettext("This is a preview: nothing is submitted."));
  if (underWay) return;
  if (work.isAsking()) return say(gettext("Say first which words to go on with."));
  underWay = true;
  say(gettext("Submitting…"));
  work.pause();
  let done = false;
  try {
    done = await send(form, { work, say, mark, prepare });
  } catch {
    say(gettext("Not sent: no connection. Your work is kept on this device; submit again when it is back."));
  }
  underWay = false;
  if (!done) work.resume();
}

/** The same words go under the same key, however often they are sent: the server answers with the first result. Other
    words are another submission, so that they are never taken for those. */
function keyFor(form, body) {
  const said = JSON.stringify(readFields(form, body));
  if (lastSent.has(form) && lastSent.get(form) !== said) form.elements.key.value = newId();
  lastSent.set(form, said);
  return form.elements.key.value;
}

/** True once the server has the submission. The answer holds the next task's page where there is one. */
async function send(form, { work, say, mark, prepare }) {
  const body = prepare(new FormData(form));
  body.set("csrfmiddlewaretoken", csrfToken(form));
  if (body.has("key")) body.set("key", keyFor(form, body));
  const characters = [...body].reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    signal: patience(ANSWER_MS, characters), // it may have arrived all the same: the key makes a second try safe
    headers: { Accept: "application/json", Prefer: "return=representation" },
    redirect: "manual",
  });
  const told = answer.type === "opaqueredirect" ? null : await answer.json().catch(() => null);
  if (answer.ok && told) {
    work.forget();
    say(gettext("Submitted."));
    if (told.page) showNext(told.page, told.next);
    else location.assign(told.next);
    return true;
  }
  if (answer.type === "opaqueredirect") say(gettext("You are signed out. Your work is kept; sign in again in another tab, then submit."));
  else if (!told?.problems) say(gettext("The server answered %(status)s. Your work is kept on this device; try again in a moment.", answer));
  else {
    mark(told.problems);
    say(told.message);
    if (told.code === "already_submitted") showSubmitted(form);
  }
  return false;
}

/** Beside the outcome, what the server has; in a tab of its own, for the words here are not in it. */
function showSubmitted(form) {
  const link = Object.assign(document.createElement("a"), { href: form.action, target: "_blank", textContent: gettext("See what is submitted") });
  form.querySelector("[data-outcome]").append(" ", link);
}

/** Shows problems in the [data-problems] box of the response their place names; the rest stand in the outcome. */
export function markResponses(form, problems) {
  for (const box of form.querySelectorAll("[data-problems]")) {
    const letter = box.closest("[data-response]")?.dataset.response ?? "A";
    const here = problems.filter(({ place }) => place.split("-")[1] === letter);
    box.replaceChildren(...here.map(({ message }) => Object.assign(document.createElement("p"), { textContent: message })));
  }
}
