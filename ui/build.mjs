// Builds the dashboard: one script, one style sheet, one page and one icon, in dist/ui.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { build } from "rolldown"

const here = (path) => new URL(path, import.meta.url)
const out = (name) => new URL(`../dist/ui/${name}`, import.meta.url)

await mkdir(out(""), { recursive: true })
await build({
  input: here("main.ts").pathname,
  platform: "browser",
  logLevel: "warn",
  output: { file: out("app.js").pathname, format: "iife", minify: true, comments: false }
})
const styles = [createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css"), here("style.css")]
await writeFile(out("app.css"), (await Promise.all(styles.map((file) => readFile(file, "utf8")))).join("\n"))
for (const name of ["index.html", "icon.svg"]) await cp(here(name), out(name))
