// Shows the state of a ranking: fields, chips, each response's place, the status, and the open questions.
// It changes nothing; what a button of a question does is handed in.
import { drawChips } from "./rank-chips.js";
import * as ranks from "./rank-order.js";
import { gettext, ngettext } from "./words.js";

const QUESTIONS_SHOWN = 2;
export const SECTIONS = ["prompt", "ratings", "ranking"];

/** "A, rated 6, stands below B, rated 3." */
export const contradictionInWords = ({ above, below }, ratings) => gettext("%(below)s, rated %(low)s, stands below %(above)s, rated %(high)s.",
  { above, below, low: ratings[below], high: ratings[above] });

/** answers: {swap(pair), meant(pairs)}. Both that it returns take what is shown: {names, state, ratings, open, current, section,
    awaitingFlag}; open: the contradictions that were not answered. showStatus leaves the chips as they are. */
export function viewOf(form, answers) {
  const find = (selector) => form.querySelector(selector);
  const dock = find("[data-dock]");
  const responses = [...form.querySelectorAll("[data-response]")];

  function showResponse(response, { state, open, current, awaitingFlag }) {
    const name = response.dataset.response;
    if (name === current) response.setAttribute("aria-current", "true");
    else response.removeAttribute("aria-current");
    response.toggleAttribute("data-flagging", awaitingFlag && name === current);
    const rank = ranks.slotOf(state.order, name) + 1;
    response.querySelector("[data-rank-words]").textContent = !rank ? gettext("not ranked")
      : state.touched ? gettext("rank %(rank)s", { rank }) : gettext("proposed %(rank)s", { rank });
    const against = open.find(({ above, below }) => name === above || name === below);
    const line = response.querySelector("[data-contradiction]");
    line.hidden = !against;
    if (against) line.textContent = name === against.above
      ? gettext("Stands above %(below)s, which you rated higher.", against) : gettext("Stands below %(above)s, which you rated lower.", against);
  }

  function statusOf({ names, state, ratings }) {
    const many = names.length;
    const ranked = many - state.order.tray.length;
    const rated = Object.values(ratings).filter(Boolean).length;
    if (!ranked) return gettext("%(rated)s of %(many)s rated. Ratings propose an order.", { rated, many });
    return state.touched ? gettext("Your order. %(ranked)s of %(many)s ranked.", { ranked, many }) : gettext("Proposed from your ratings, not yet yours.");
  }

  function showStatus(what) {
    const { names, state, current, section } = what;
    const isProposal = !state.touched && state.order.tray.length < names.length;
    const order = ranks.orderInShort(state.order);
    find("[data-status]").textContent = statusOf(what);
    find("[data-confirm]").hidden = !isProposal;
    find("[data-brief]").textContent = order;
    find("[data-brief-title]").textContent = isProposal ? gettext("Proposed, tap to see it") : gettext("Ranking, tap to change");
    find("[data-mode]").textContent = section === "ranking" ? gettext("Digits send %(current)s to a rank", { current })
      : section === "ratings" ? gettext("Digits rate %(current)s", { current }) : gettext("Reading the prompt");
    find("[data-untray]").setAttribute("aria-label", gettext("Put %(current)s back to not ranked", { current }));
    for (const slot of dock.querySelectorAll("[data-put]")) {
      slot.setAttribute("aria-label", gettext("Put %(current)s at rank %(rank)s", { current, rank: slot.dataset.put }));
    }
  }

  function question(pair, ratings) {
    const note = document.querySelector("#contradiction").content.firstElementChild.cloneNode(true);
    note.querySelector("[data-says]").textContent = contradictionInWords(pair, ratings);
    const swap = note.querySelector("[data-swap]");
    swap.textContent = gettext("Put %(below)s above %(above)s", pair);
    swap.addEventListener("click", () => answers.swap(pair));
    note.querySelector("[data-meant]").addEventListener("click", () => answers.meant([pair]));
    return note;
  }

  const sayMore = (more) => ngettext("And %(more)s more.", "And %(more)s more.", more, { more });

  function more(open) {
    const note = document.querySelector("#contradictions").content.firstElementChild.cloneNode(true);
    note.querySelector("[data-says]").textContent = sayMore(open.length - QUESTIONS_SHOWN);
    note.querySelector("[data-meant]").addEventListener("click", () => answers.meant(open));
    return note;
  }

  function showQuestions({ open, ratings }) {
    const notes = open.slice(0, QUESTIONS_SHOWN).map((pair) => question(pair, ratings));
    dock.querySelector("[data-questions]").replaceChildren(...notes, ...(open.length > QUESTIONS_SHOWN ? [more(open)] : []));
  }

  function show(what) {
    const { state, ratings, open, current } = what;
    const contradicting = new Set(open.flatMap(({ above, below }) => [above, below]));
    drawChips(dock, { order: state.order, ratings, current, proposed: !state.touched, contradicting });
    for (const response of responses) showResponse(response, what);
    showStatus(what);
    showQuestions(what);
  }

  return { show, showStatus };
}
