// Two versions of the words of one task, one of them shown: asks which to go on with. Neither is lost until it is said.
import { announce } from "./announce.js";
import { gettext } from "./words.js";

const make = (tag, className, ...content) => {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...content);
  return made;
};

function button(text, press) {
  const made = Object.assign(make("button", "btn btn--link", text), { type: "button" });
  made.addEventListener("click", press);
  return made;
}

/** Where the page has its notices; where it has none yet, above the work. */
function notices() {
  const there = document.querySelector(".work__notices");
  if (there) return there;
  const made = make("section", "work__notices");
  made.setAttribute("aria-label", gettext("Notices"));
  document.querySelector("[data-workspace]").before(made);
  return made;
}

/** title, says: which other words there are. take(): the labeler goes on with those; leave(): with what is shown. */
export function askWhichWords({ title, says, take, leave }) {
  const section = notices();
  const answered = (act) => () => {
    notice.remove();
    if (!section.childElementCount) section.remove();
    act();
  };
  const does = make("span", "notice__do", button(gettext("Go on with those"), answered(take)), button(gettext("Keep what is here"), answered(leave)));
  const notice = make("p", "notice", make("span", "", make("span", "notice__word", title), " ", says), does);
  section.append(notice);
  announce(`${title} ${says}`);
}
