/**
 * The dashboard: it asks for the token, and shows one page at a time.
 */
import * as Api from "./api.ts"
import { fill, h, icon, setText, toast } from "./dom.ts"
import * as Stream from "./stream.ts"
import * as Bans from "./views/bans.ts"
import * as Denials from "./views/denials.ts"
import * as Fleet from "./views/fleet.ts"
import * as Overview from "./views/overview.ts"
import * as Sessions from "./views/sessions.ts"
import * as Settings from "./views/settings.ts"
import * as Users from "./views/users.ts"
import type { View } from "./views/view.ts"

/** The most denials that are kept. */
const mostDenials = 200

let denials: ReadonlyArray<Stream.Denial & { readonly number: number }> = []
let number = 0

interface Page {
  readonly title: string
  readonly icon: string
  /** Makes the page. One that fetches the status of the server shows it to the frame, too. */
  readonly make: (onStatus: (status: Api.Status) => void) => View
  /** Whether this server has it; by default each has. */
  readonly isOffered?: (status: Api.Status) => boolean
}

const pages: Readonly<Record<string, Page>> = {
  overview: {
    title: "Overview",
    icon: "M4 20V10M10 20V4M16 20v-7M22 20H2",
    make: (onStatus) => Overview.make(() => denials, onStatus)
  },
  sessions: { title: "Sessions", icon: "M4 7h13l-3-3M20 17H7l3 3", make: Sessions.make },
  denials: {
    title: "Denials",
    icon: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M6 6l12 12",
    make: () => Denials.make(() => denials)
  },
  bans: { title: "Bans", icon: "M12 3l8 3v6c0 5-3.5 8-8 9c-4.5-1-8-4-8-9V6z", make: Bans.make },
  users: {
    title: "Users",
    icon: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M4 21c1-4 4-6 8-6s7 2 8 6",
    make: Users.make
  },
  fleet: {
    title: "Fleet",
    icon: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
    make: Fleet.make,
    isOffered: ({ fleet = false }) => fleet
  },
  settings: { title: "Settings", icon: "M4 7h16M4 12h16M4 17h16M8 5v4M16 10v4M11 15v4", make: Settings.make }
}

// The theme ---------------------------------------------------------------------

const themes = ["auto", "light", "dark"] as const

const prefersDark = matchMedia("(prefers-color-scheme: dark)")

const storedTheme = (): string => localStorage.getItem("effect-socks theme") ?? "auto"

/** The style sheet has a theme of each name; the one of the system is chosen here. */
const useTheme = (): void => {
  const stored = storedTheme()
  const system = prefersDark.matches ? "dark" : "light"
  document.documentElement.dataset.theme = stored === "light" || stored === "dark" ? stored : system
}

const themeChoice = (): HTMLElement => {
  const stored = storedTheme()
  const choice = h(
    "select",
    {
      id: "theme",
      onchange: () => {
        localStorage.setItem("effect-socks theme", choice.value)
        useTheme()
      }
    },
    ...themes.map((theme) =>
      h("option", { value: theme, selected: theme === stored }, `${theme[0]?.toUpperCase()}${theme.slice(1)}`)
    )
  )
  return h("div", { class: "theme" }, h("label", { for: "theme", class: "hidden" }, "Theme"), choice)
}

// Signing in ----------------------------------------------------------------------

const signIn = (message = ""): void => {
  stopAll()
  document.title = "Sign in · effect-socks"
  const field = h("input", {
    id: "token",
    type: "password",
    required: true,
    autocomplete: "current-password",
    spellcheck: "false"
  })
  const problem = h("p", { class: "problem", role: "alert" }, message)
  fill(
    document.body,
    h(
      "main",
      { class: "signin" },
      h(
        "form",
        {
          class: "card",
          onsubmit: async (event) => {
            event.preventDefault()
            Api.setToken(field.value.trim())
            await Api.status().then(start, (error: Error) => {
              Api.setToken("")
              setText(problem, error.message)
              field.select()
            })
          }
        },
        brand(),
        h("h1", {}, "Sign in"),
        h("label", { for: "token" }, "Token"),
        field,
        h(
          "p",
          { class: "muted", id: "where" },
          "It is that of --admin-token, or in the file that the log names: “admin listens”."
        ),
        problem,
        h("button", { class: "primary" }, "Sign in")
      )
    ),
    toasts()
  )
  field.focus()
}

const brand = (): HTMLElement =>
  h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), "effect-socks")

const toasts = (): HTMLElement => h("div", { id: "toasts", role: "status", "aria-live": "polite" })

// The pages -----------------------------------------------------------------------

let stopAll = (): void => {}

const start = (): void => {
  stopAll()
  const ending = new AbortController()
  const main = h("main", { id: "main", tabindex: "-1" })
  const title = h("h1", {})
  const state = h("span", { class: "pill", role: "status" }, "…")
  const live = h("span", { class: "pill" }, "…")
  const listeners = h("span", { class: "muted listeners" })
  const links = Object.entries(pages).map(([name, { title, icon: path, isOffered }]) =>
    h("a", { href: `#/${name}`, hidden: isOffered !== undefined }, icon(path), h("span", {}, title))
  )
  fill(
    document.body,
    h(
      "a",
      {
        class: "skip",
        href: "#main",
        onclick: (event) => {
          event.preventDefault()
          main.focus()
        }
      },
      "Skip to the content"
    ),
    h(
      "header",
      { class: "top" },
      brand(),
      listeners,
      h(
        "div",
        { class: "end" },
        state,
        live,
        themeChoice(),
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              Api.setToken("")
              signIn()
            }
          },
          "Sign out"
        )
      )
    ),
    h("nav", { "aria-label": "Pages" }, ...links),
    main,
    toasts()
  )

  let view: View | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const refresh = async (current: View) => {
    clearTimeout(timer)
    if (!document.hidden) {
      await current.refresh().then(
        () => main.classList.remove("stale"),
        (error: Error) => {
          if (!main.classList.contains("stale")) toast(error.message, true)
          main.classList.add("stale")
        }
      )
    }
    if (view === current && current.every !== undefined && !ending.signal.aborted) {
      timer = setTimeout(() => void refresh(current), current.every)
    }
  }
  const open = () => {
    const [, name = ""] = /^#\/(\w+)$/.exec(location.hash) ?? []
    const chosen = pages[name] ? name : "overview"
    view?.close?.()
    for (const [index, key] of Object.keys(pages).entries()) {
      if (key === chosen) links[index]!.setAttribute("aria-current", "page")
      else links[index]!.removeAttribute("aria-current")
    }
    setText(title, pages[chosen]!.title)
    document.title = `${pages[chosen]!.title} · effect-socks`
    const next = pages[chosen]!.make(showStatus)
    view = next
    fill(main, title, next.element)
    void refresh(next)
  }
  let knownAt = 0
  const showStatus = (status: Api.Status) => {
    const { ready, draining, listeners: at, version } = status
    knownAt = Date.now()
    for (const [index, { isOffered }] of Object.values(pages).entries()) {
      links[index]!.hidden = isOffered?.(status) === false
    }
    state.className = ready ? "pill good" : "pill bad"
    setText(state, ready ? "ready" : draining ? "draining" : "not ready")
    setText(listeners, `${version} · ${at.join(", ")}`)
  }
  const watch = async () => {
    // The page may have fetched it a moment ago.
    if (document.hidden || Date.now() - knownAt < 4000) return
    await Api.status().then(showStatus, () => {
      state.className = "pill bad"
      setText(state, "no answer")
    })
  }
  const watching = setInterval(() => void watch(), 5000)
  addEventListener(
    "hashchange",
    () => {
      open()
      main.focus()
    },
    { signal: ending.signal }
  )
  document.addEventListener("visibilitychange", () => void (view && !document.hidden && refresh(view)), {
    signal: ending.signal
  })
  void Stream.follow(ending.signal, onEvent, (isConnected) => {
    live.className = isConnected ? "pill good" : "pill"
    setText(live, isConnected ? "live" : "connecting")
  })
  stopAll = () => {
    ending.abort()
    clearInterval(watching)
    clearTimeout(timer)
    view?.close?.()
    view = undefined
    stopAll = () => {}
  }
  void watch()
  open()
}

const onEvent = (event: Stream.ServerEvent): void => {
  if (event._tag === "TargetDenied") {
    const denial = { ...(event as unknown as Stream.Denial), at: Date.now(), number: number++ }
    denials = [denial, ...denials.slice(0, mostDenials - 1)]
  }
  if (event._tag === "NetworkBanned") toast(`${event.network} is banned: ${event.reason}`)
  if (event._tag === "ReloadFailed") toast(`Not reloaded: ${event.reason}`, true)
}

useTheme()
prefersDark.addEventListener("change", useTheme)
Api.whenSignedOut(() => signIn("The server does not take this token."))
if (Api.hasToken()) start()
else signIn()
