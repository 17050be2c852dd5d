/**
 * The programs of others that the end-to-end tests run, and what happens where
 * one is not installed: its tests are skipped, except in CI, where they fail.
 */
import { spawnSync } from "node:child_process"
import { describe, it } from "@effect/vitest"

/** Debian's Python, which has Debian's modules, whatever else comes first on the path. */
export const python = "/usr/bin/python3"

/** What proves that each is there. */
const clients = {
  apt: "command -v apt-get",
  chromium: "command -v chromium",
  curl: "command -v curl && command -v openssl",
  "dante-server": "command -v danted",
  "dante-client": "command -v socksify",
  // A compiler too, for programs of one file.
  "default-jdk-headless": "command -v java && command -v javac",
  fail2ban: "command -v fail2ban-regex",
  "firefox-esr": "command -v firefox-esr",
  git: "command -v git",
  // And what every Debian has beside it.
  iproute2: "command -v ip && command -v nsenter && command -v unshare",
  "golang-go": "command -v go",
  "golang-golang-x-net-dev": "test -d /usr/share/gocode/src/golang.org/x/net/proxy",
  haproxy: "command -v haproxy && command -v openssl",
  ldnsutils: "command -v drill",
  microsocks: "command -v microsocks",
  ncat: "command -v ncat",
  "netcat-openbsd": "command -v nc.openbsd",
  "openssh-client": "command -v ssh",
  "openssh-server": "test -x /usr/sbin/sshd",
  postgresql: "ls /usr/lib/postgresql/*/bin/initdb",
  prometheus: "command -v prometheus && command -v promtool",
  proxychains4: "command -v proxychains4",
  "redis-server": "command -v redis-server",
  python3: `test -x ${python}`,
  "python3-httpx": `${python} -c "import httpx"`,
  "python3-pip": `${python} -c "import pip"`,
  "python3-requests": `${python} -c "import requests"`,
  "python3-pyftpdlib": `${python} -c "import pyftpdlib"`,
  "python3-socks": `${python} -c "import socks"`,
  squid: "test -x /usr/sbin/squid",
  tinyproxy: "command -v tinyproxy",
  tnftp: "command -v tnftp",
  torsocks: "command -v torsocks",
  tsocks: "command -v tsocks",
  wget: "command -v wget"
}

export type Client = keyof typeof clients

/** Tests that take these clients. */
export const describeWith = (needed: ReadonlyArray<Client>, tests: () => void): void => {
  const missing = needed.filter((client) => spawnSync("sh", ["-c", clients[client]]).status !== 0)
  if (missing.length === 0) return void describe(needed[0]!, tests)
  if (process.env.CI !== undefined) {
    return void describe(needed[0]!, () => {
      it("is installed", () => {
        throw new Error(`not installed: ${missing.join(", ")}`)
      })
    })
  }
  describe.skip(`${needed[0]} (not installed: ${missing.join(", ")})`, tests)
}
