/**
 * The users of the server, with their open sessions.
 */
import * as Api from "../api.ts"
import { h, setText, toast } from "../dom.ts"
import * as Format from "../format.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

export const make = (): View => {
  let search = ""
  let canChange = false
  const table = Table.make<Api.UserRow>({
    caption: "Users",
    key: ({ name }) => name,
    columns: [
      { title: "Name", text: ({ name }) => name },
      { title: "Groups", text: ({ groups }) => groups.join(", ") || "–" },
      { title: "May log in", text: ({ enabled }) => (enabled ? "yes" : "no") },
      { title: "Until", text: ({ expires }) => (expires === null ? "–" : Format.dateTime(expires)) },
      { title: "Sessions", text: ({ sessions }) => Format.count(sessions), isNumber: true },
      { title: "Sent", text: ({ sent }) => Format.size(sent), isNumber: true },
      { title: "Received", text: ({ received }) => Format.size(received), isNumber: true }
    ],
    action: {
      title: "Disable or enable",
      text: ({ enabled }) => (enabled ? "Disable" : "Enable"),
      isOffered: () => canChange,
      label: ({ name, enabled }) => `${enabled ? "Disable" : "Enable"} ${name}`,
      run: async ({ name, enabled }) => {
        await Api.enableUser(name, !enabled).then(
          () => toast(`${name} is ${enabled ? "disabled" : "enabled"}.`),
          (error: Error) => toast(error.message, true)
        )
        await refresh()
      }
    },
    empty: "There are no users, or none of this name."
  })
  const found = h("p", { class: "muted", role: "status" })
  const refresh = async () => {
    const [{ changesUsers }, { rows, total }] = await Promise.all([
      Api.status(),
      Api.users({ search, limit: 200 })
    ])
    canChange = changesUsers
    table.update(rows)
    setText(found, total > rows.length ? `${rows.length} of ${Format.count(total)}` : Format.count(total))
  }
  const field = h("input", {
    type: "search",
    id: "search",
    placeholder: "Name",
    autocomplete: "off",
    oninput: () => {
      search = field.value
      void refresh().catch((error: Error) => toast(error.message, true))
    }
  })
  return {
    element: h(
      "section",
      { class: "card" },
      h(
        "div",
        { class: "toolbar" },
        h("label", { for: "search", class: "hidden" }, "Search users"),
        field,
        found
      ),
      table.element
    ),
    every: 5000,
    refresh
  }
}
