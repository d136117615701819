// The page's sentences, in the language of the page. Where it is not English the server's catalogue (django.gettext)
// stands in the page before any module runs; without one a sentence is its own translation.

/** gettext("Response %(name)s", { name: "C" }): the sentence with its values in place. */
export function gettext(sentence, values = {}) {
  return filled(globalThis.django?.gettext?.(sentence) ?? sentence, values);
}

/** ngettext("%(many)s question", "%(many)s questions", many, { many }): the form that goes with the number, and there are
    languages with more than two. */
export function ngettext(one, several, number, values = {}) {
  return filled(globalThis.django?.ngettext?.(one, several, number) ?? (number === 1 ? one : several), values);
}

const filled = (sentence, values) => sentence.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);

/** A number or a time as the page's language writes it. */
export const language = document.documentElement.lang || "en";
const region = language === "en" ? "en-GB" : language;
export const inWords = (number) => number.toLocaleString(language);
/** "A, B and C". */
export const listed = (names) => new Intl.ListFormat(region).format(names);
export const clock = (date) => date.toLocaleTimeString(region);
export const moment = (date) => date.toLocaleString(region, { dateStyle: "medium", timeStyle: "short" });
