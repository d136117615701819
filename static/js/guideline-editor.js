// Shows the guideline as it will read while it is typed; the server's rendering, which decides, comes with every save.
import { preview } from "./markdown-preview.js";

const body = document.querySelector("[data-markdown]");
const paper = document.querySelector("[data-preview]");
let typed = false;

body.addEventListener("input", () => paper.replaceChildren(...preview(body.value)));

for (const field of body.form.elements) field.addEventListener("input", () => { typed = true; });
body.form.addEventListener("submit", () => { typed = false; });
addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });
