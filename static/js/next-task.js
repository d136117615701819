// Shows the next task in place of the one that was submitted: the answer to a submission is its page.
import { announce } from "./announce.js";

const marks = (page) => [...page.head.querySelectorAll("link[rel=stylesheet], script[src]")].map((one) => one.getAttribute("href") ?? one.getAttribute("src"));

/** html: a whole page of the site, from the server that made this one. Where it needs other sheets or scripts (the site
    was renewed meanwhile) the browser opens its address as usual. */
export function showNext(html, address) {
  const next = new DOMParser().parseFromString(html, "text/html");
  if (String(marks(next)) !== String(marks(document))) return location.assign(address);
  history.pushState(null, "", address);
  document.title = next.title;
  document.body.replaceWith(document.adoptNode(next.body));
  scrollTo(0, 0);
  document.dispatchEvent(new Event("next-task"));
  announce(document.title);
}
