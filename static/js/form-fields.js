// A form as flat fields, {name: text}: what was filled in and nothing else. The server reads the same names.

/** Not what the labeler said: writing fields leaves these alone. */
const ENVELOPE = new Set(["csrfmiddlewaretoken", "key", "lease_token", "corrects", "active_ms"]);

/** Fields with something in them; said: the form's data, or what is to be sent of it. */
export function readFields(form, said = new FormData(form)) {
  const fields = {};
  for (const [name, value] of said) if (value && !ENVELOPE.has(name)) fields[name] = value;
  return fields;
}

/** Whether somebody filled in anything since the server made the page: people write before a script is there. */
export const isChanged = (form) => [...form.elements].some((input) => {
  if (!input.name || ENVELOPE.has(input.name)) return false;
  if (input.type === "radio" || input.type === "checkbox") return input.checked !== input.defaultChecked;
  if (input.options) return input.selectedIndex !== Math.max(0, [...input.options].findIndex((one) => one.defaultSelected));
  return "defaultValue" in input && input.value !== input.defaultValue;
});

/** Shows the fields; what is not among them is emptied. A field that is being typed in is left alone. */
export function writeFields(form, fields) {
  for (const input of form.elements) {
    if (!input.name || input.type === "submit" || ENVELOPE.has(input.name)) continue;
    const value = fields[input.name] ?? "";
    if (input.type === "radio" || input.type === "checkbox") input.checked = input.value === value;
    else if (document.activeElement !== input || input.tagName !== "TEXTAREA") input.value = value;
  }
}

/** The token as the browser holds it now: the one in the page is old once somebody signed in again in another tab. */
export function csrfToken(form) {
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? form.elements.csrfmiddlewaretoken.value;
}
