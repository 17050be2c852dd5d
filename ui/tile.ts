/**
 * A number with its title, of a list of such numbers.
 */
import { h, setText } from "./dom.ts"

/** The list of these numbers. */
export const list = (tiles: Readonly<Record<string, ReturnType<typeof make>>>): HTMLElement =>
  h("dl", { class: "tiles" }, ...Object.values(tiles).map(({ element }) => element))

export const make = (title: string, mark?: "up" | "down") => {
  const value = h("dd", {}, "–")
  const element = h("div", { class: mark ? `tile ${mark}` : "tile" }, h("dt", {}, title), value)
  return { element, show: (text: string) => setText(value, text) }
}
