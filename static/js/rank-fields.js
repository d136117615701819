// The state of a ranking as flat form fields and back: rank-A, order ("mine" or "proposed"), meant ("A>B C>D"), the rest.
import { fromRanks, slotOf } from "./rank-order.js";

/** touched: the order is the labeler's own; meant: pairs that stand against their ratings on purpose. */
export function fromFields(names, fields) {
  const order = fromRanks(names, Object.fromEntries(names.map((name) => [name, Number(fields[`rank-${name}`])])));
  const touched = order.tray.length < names.length && fields.order !== "proposed";
  return { fields, order, touched, meant: (fields.meant ?? "").split(" ").filter(Boolean) };
}

export function toFields(names, { fields, order, touched, meant }) {
  const said = Object.fromEntries(Object.entries(fields).filter(([name]) => !name.startsWith("rank-")));
  for (const name of names) if (slotOf(order, name) >= 0) said[`rank-${name}`] = String(slotOf(order, name) + 1);
  said.order = order.tray.length === names.length ? "" : touched ? "mine" : "proposed";
  said.meant = meant.join(" ");
  return said;
}

/** What is sent of a form: an order that nobody confirmed stays here. body: FormData. */
export function withoutProposal(body) {
  if (body.get("order") === "proposed") for (const name of [...body.keys()]) if (name.startsWith("rank-")) body.delete(name);
  return body;
}
