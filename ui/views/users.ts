/**
 * The users of the server, with their open sessions. Those in a store can be added, changed and removed.
 */
import * as Api from "../api.ts"
import { confirmed, done, h, passwordFor } from "../dom.ts"
import * as Format from "../format.ts"
import * as Search from "../search.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

export const make = (): View => {
  /** What is done, and what the page says then. */
  const changed = async (what: Promise<unknown>, message: string): Promise<boolean> => {
    const isDone = await done(what, message)
    await refresh()
    return isDone
  }
  const isOffered = ({ stored }: Api.UserRow) => stored
  const table = Table.make<Api.UserRow>({
    caption: "Users",
    key: ({ name }) => name,
    columns: [
      { title: "Name", text: ({ name }) => name },
      { title: "Groups", text: ({ groups }) => groups.join(", ") || "–" },
      { title: "From", text: ({ stored }) => (stored ? "store" : "settings") },
      { title: "May log in", text: ({ enabled }) => (enabled ? "yes" : "no") },
      { title: "Until", text: ({ expires }) => (expires === null ? "–" : Format.dateTime(expires)) },
      { title: "Sessions", text: ({ sessions }) => Format.count(sessions), isNumber: true },
      { title: "Sent", text: ({ sent }) => Format.size(sent), isNumber: true },
      { title: "Received", text: ({ received }) => Format.size(received), isNumber: true }
    ],
    actions: [
      {
        title: "Set password",
        text: () => "Password",
        isHarmless: true,
        isOffered,
        label: ({ name }) => `Set the password of ${name}`,
        run: async ({ name }) => {
          const password = await passwordFor(`The new password of ${name}`, "Set password")
          if (password !== undefined)
            await changed(Api.setPassword(name, password), `${name} has a new password.`)
        }
      },
      {
        title: "Disable or enable",
        text: ({ enabled }) => (enabled ? "Disable" : "Enable"),
        isOffered,
        label: ({ name, enabled }) => `${enabled ? "Disable" : "Enable"} ${name}`,
        run: ({ name, enabled }) =>
          void changed(Api.enableUser(name, !enabled), `${name} is ${enabled ? "disabled" : "enabled"}.`)
      },
      {
        title: "Remove",
        isOffered,
        label: ({ name }) => `Remove ${name}`,
        run: async ({ name, sessions }) => {
          const ending = sessions === 0 ? "" : ` ${Format.count(sessions)} open sessions end.`
          if (!(await confirmed(`Remove the user ${name}?${ending}`, "Remove user"))) return
          await changed(Api.removeUser(name), `${name} is removed.`)
        }
      }
    ],
    empty: "There are no users, or none of this name."
  })
  const refresh = async () => {
    const [{ changesUsers }, { rows, total }] = await Promise.all([Api.status(), Api.users(search.asked())])
    form.hidden = !changesUsers
    hint.hidden = changesUsers
    table.update(rows)
    search.show(rows.length, total)
  }
  const search = Search.make("Search users", "Name", refresh)
  const name = h("input", { id: "name", required: true, autocomplete: "off", spellcheck: "false" })
  const password = h("input", {
    id: "password",
    type: "password",
    required: true,
    autocomplete: "new-password"
  })
  const groups = h("input", { id: "groups", placeholder: "staff, night", autocomplete: "off" })
  const form = h(
    "form",
    {
      class: "form",
      hidden: true,
      onsubmit: async (event) => {
        event.preventDefault()
        const names = groups.value
          .split(",")
          .map((group) => group.trim())
          .filter((group) => group !== "")
        const user = {
          name: name.value,
          password: password.value,
          ...(names.length > 0 && { groups: names })
        }
        if (await changed(Api.addUser(user), `${user.name} is added.`)) {
          form.reset()
          name.focus()
        }
      }
    },
    h("div", {}, h("label", { for: "name" }, "Name"), name),
    h("div", {}, h("label", { for: "password" }, "Password"), password),
    h("div", {}, h("label", { for: "groups" }, "Groups"), groups),
    h("button", { class: "primary" }, "Add user")
  )
  const hint = h(
    "p",
    { class: "muted", hidden: true },
    "These users come from the settings. Users in a file (--users-file) can be added and removed here."
  )
  return {
    element: h("section", { class: "card" }, form, hint, search.element, table.element),
    every: 5000,
    refresh
  }
}
