// On a phone the project's places are one row that scrolls: the place one is at is in view when a page opens, and each
// is whole once the keyboard reaches it (a browser leaves one that is cut as it is).
const row = document.querySelector(".masthead__nav");
const show = (place, inline) => place.scrollIntoView({ block: "nearest", inline, behavior: "instant" });

const current = row.querySelector("[aria-current]");
if (current && row.scrollWidth > row.clientWidth) show(current, "center");
row.addEventListener("focusin", ({ target }) => show(target, "nearest"));
