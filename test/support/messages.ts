/**
 * What clients send, and what a server answers, byte by byte. Written out here
 * and not taken from `src/wire`, so that a mistake there cannot hide.
 */

const utf8 = new TextEncoder()

/** RFC 1928 §3. */
export const greeting = (...methods: ReadonlyArray<number>) => [0x05, methods.length, ...methods]

/** RFC 1929 §2. */
export const credentials = (name: string, password: string) => {
  const [uname, passwd] = [utf8.encode(name), utf8.encode(password)]
  return [0x01, uname.length, ...uname, passwd.length, ...passwd]
}

/** RFC 1928 §4, CONNECT unless told otherwise. A host of four numbers goes as IPv4, else as a name. */
export const request = (host: string | ReadonlyArray<number>, port: number, command = 0x01) => [
  0x05,
  command,
  0x00,
  ...address(host),
  port >> 8,
  port & 0xff
]

/** RFC 1928 §6, with nothing bound unless told otherwise. */
export const reply = (code: number, bound = [0x01, 0, 0, 0, 0, 0, 0]) => [0x05, code, 0x00, ...bound]

const address = (host: string | ReadonlyArray<number>) => {
  if (typeof host !== "string") return [host.length === 4 ? 0x01 : 0x04, ...host]
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return [0x01, ...host.split(".").map(Number)]
  const name = utf8.encode(host)
  return [0x03, name.length, ...name]
}

/** RFC 1928 §7, standing alone unless told otherwise. */
export const datagram = (
  host: string | ReadonlyArray<number>,
  port: number,
  data: Iterable<number>,
  fragment = 0x00
) => [0x00, 0x00, fragment, ...address(host), port >> 8, port & 0xff, ...data]
/** A line of the PROXY protocol, version 1. */
export const proxyV1 = (line: string) => [...utf8.encode(`${line}\r\n`)]

/** A header of the PROXY protocol, version 2. */
export const proxyV2 = (command: number, family: number, body: ReadonlyArray<number>) => [
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
  ...[command, family, body.length >> 8, body.length & 0xff],
  ...body
]
