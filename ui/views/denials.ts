/**
 * What the policy denied since the page was opened, as it happens.
 */
import { h } from "../dom.ts"
import * as Format from "../format.ts"
import type { Denial } from "../stream.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

export const make = (denials: () => ReadonlyArray<Denial & { readonly number: number }>): View => {
  const table = Table.make<Denial & { readonly number: number }>({
    caption: "Denials",
    key: ({ number }) => String(number),
    columns: [
      { title: "Time", text: ({ at }) => Format.time(at) },
      { title: "User", text: ({ user }) => user ?? "–" },
      { title: "Client", text: ({ client }) => client ?? "–" },
      { title: "Target", text: ({ target }) => target ?? "–" },
      { title: "Rule", text: ({ rule }) => rule },
      { title: "Reason", text: ({ reason, verdict }) => reason ?? (verdict === "deny" ? "–" : verdict) }
    ],
    empty: "Nothing was denied since this page was opened."
  })
  return {
    element: h(
      "section",
      { class: "card" },
      h("p", { class: "muted" }, "The latest 200, the newest first. The log has all of them."),
      table.element
    ),
    every: 1000,
    refresh: async () => table.update(denials().slice(0, 200))
  }
}
