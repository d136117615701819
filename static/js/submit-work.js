// Submits the form and goes to the next task. Whatever goes wrong, the words stay where they are and the page says what.
import { csrfToken } from "./form-fields.js";

let underWay = false;

/** say(sentence) shows the outcome; mark(problems) shows each problem at its place. */
export async function submitWork(form, { work, say, mark }) {
  if (underWay) return;
  underWay = true;
  say("Submitting…");
  try {
    await send(form, { work, say, mark });
  } catch {
    say("Not sent: no connection. Your work is kept on this device; submit again when it is back.");
  } finally {
    underWay = false;
  }
}

async function send(form, { work, say, mark }) {
  const body = new FormData(form);
  body.set("csrfmiddlewaretoken", csrfToken(form));
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual" });
  if (answer.type === "opaqueredirect") return say("You are signed out. Your work is kept; sign in again in another tab, then submit.");
  const told = await answer.json().catch(() => null);
  if (!told) return say(`The server answered ${answer.status}. Your work is kept on this device; try again in a moment.`);
  if (!answer.ok) {
    mark(told.problems);
    return say(told.message);
  }
  work.forget();
  say("Submitted.");
  location.assign(told.next);
}

/** Shows problems in the [data-problems] box of the response their place names; the rest stand in the outcome. */
export function markResponses(form, problems) {
  for (const box of form.querySelectorAll("[data-problems]")) {
    const letter = box.closest("[data-response]")?.dataset.response ?? "A";
    const here = problems.filter(({ place }) => place.split("-")[1] === letter);
    box.replaceChildren(...here.map(({ message }) => Object.assign(document.createElement("p"), { textContent: message })));
  }
}
