// The page's sentences, in the language of the page. Where it is not English the server's catalogue (django.gettext)
// stands in the page before any module runs; without one a sentence is its own translation.

/** gettext("Response %(name)s", { name: "C" }): the sentence with its values in place. */
export function gettext(sentence, values = {}) {
  const said = globalThis.django?.gettext?.(sentence) ?? sentence;
  return said.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
}

/** A number or a time as the page's language writes it. */
export const language = document.documentElement.lang || "en";
export const inWords = (number) => number.toLocaleString(language);
const ofTimes = language === "en" ? "en-GB" : language;
export const clock = (date) => date.toLocaleTimeString(ofTimes);
export const moment = (date) => date.toLocaleString(ofTimes, { dateStyle: "medium", timeStyle: "short" });
