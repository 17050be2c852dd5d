/**
 * Targets that are not what they seem, or nothing a client should get at: one
 * for each way past a guard that somebody found in some proxy.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { NameNotFound } from "../../src/Errors.ts"
import { Resolver } from "../../src/network/Resolver.ts"

/** As a client writes it: text, or the bytes of an address. */
export type Host = string | ReadonlyArray<number>

const v4 = (text: string) => text.split(".").map(Number)

/** The 16 bytes of an IPv6 address written in full. */
const v6 = (text: string) =>
  text.split(":").flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])

/** Only a test's resolver knows these, and these are what a test may see dialled. */
export const names: Readonly<Record<string, ReadonlyArray<string>>> = {
  "public.example": ["8.8.8.8"],
  localhost: ["127.0.0.1", "::1"],
  "foo.localhost": ["127.0.0.1", "::1"],
  "loopback.example": ["127.0.0.1"],
  "private.example": ["10.0.0.5"],
  "ula.example": ["fd00::5"],
  "zero.example": ["0.0.0.0"],
  "many.example": ["224.0.0.251"],
  "mapped.example": ["::ffff:10.0.0.5"],
  "nat64.example": ["64:ff9b::a00:5"],
  "6to4.example": ["2002:a00:5::1"],
  "twice.example": ["2002:5db8:d822:1:0:5efe:a05:505"],
  "oracle.example": ["fd00:c1::a9fe:a9fe"],
  "metadata.google.internal": ["169.254.169.254"],
  "azure.example": ["168.63.129.16"],
  "mixed.example": ["10.0.0.5", "8.8.8.8", "::1", "64:ff9b::a9fe:a9fe"],
  "xn--bcher-kva.example": ["10.0.0.5"],
  "own.example": ["8.8.4.4"],
  "machine.example": ["8.8.4.7"],
  "machine6.example": ["2606:4700::7"],
  "machines.example": ["8.8.4.7", "2606:4700::7", "8.8.8.8"],
  "link.example": ["169.254.1.1"],
  "link6.example": ["fe80::1"],
  "loopback6.example": ["::1"],
  "wrapped.example": ["64:ff9b::7f00:1"],
  "dev.example": ["127.0.0.1"],
  "both.example": ["2a00::1", "9.0.0.1"],
  "limited.example": ["9.0.0.1"]
}

/** Addresses of the machine that the server runs on, public as they are. */
export const machine: ReadonlyArray<string> = ["8.8.4.4", "8.8.4.7", "2606:4700::7", "10.0.0.7"]

/** Targets that nobody may be connected to, by what they try. */
export const closed: Readonly<Record<string, ReadonlyArray<Host>>> = {
  "addresses of special ranges": [
    ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.0.1"],
    ...["100.64.0.1", "169.254.1.1", "192.0.0.9", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"],
    ...["192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"],
    v4("127.0.0.1"),
    v4("10.0.0.5"),
    v4("0.0.0.0"),
    v4("255.255.255.255"),
    v6("0:0:0:0:0:0:0:1"),
    v6("0:0:0:0:0:0:0:0"),
    v6("fd00:0:0:0:0:0:0:1"),
    v6("fe80:0:0:0:0:0:0:1"),
    v6("ff02:0:0:0:0:0:0:fb")
  ],
  "cloud metadata": [
    ...[
      "169.254.169.254",
      "169.254.170.2",
      "169.254.170.23",
      "100.100.100.200",
      "192.0.0.192",
      "168.63.129.16"
    ],
    ...["[fd00:ec2::254]", "[fd00:ec2::23]", "[fd20:ce::254]", "fd00:ec2::254", "fd00:ec2::1:2"],
    ...["fd00:c1::a9fe:a9fe", "[fd00:c1::a9fe:a9fe]", "oracle.example"],
    ...[
      "metadata.google.internal",
      "azure.example",
      "[::ffff:169.254.169.254]",
      "[64:ff9b::169.254.169.254]"
    ],
    v4("169.254.169.254"),
    v4("168.63.129.16"),
    v6("fd00:ec2:0:0:0:0:0:254"),
    v6("0:0:0:0:0:ffff:a83f:8110"),
    v6("fd00:ec2:0:0:0:0:0:123"),
    v6("fd00:c1:0:0:0:0:a9fe:a9fe"),
    v6("64:ff9b:0:0:0:0:a83f:8110"),
    v6("2002:a83f:8110:0:0:0:0:1")
  ],
  "addresses of this machine": [
    ...["8.8.4.7", "::ffff:8.8.4.7", "[64:ff9b::808:407]", "2002:808:407::1", "2606:4700::7"],
    ...["2606:4700:1::5efe:808:407", "2002:101:101:1:0:5efe:808:407", "machine.example", "machine6.example"],
    v4("8.8.4.7"),
    v6("2606:4700:0:0:0:0:0:7"),
    v6("0:0:0:0:0:ffff:808:407"),
    v6("64:ff9b:0:0:0:0:808:407")
  ],
  "numbers that inet_aton reads": [
    ...["127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1", "0x7f000001", "0X7F000001", "2130706433"],
    ...["017700000001", "0", "00", "0x0", "127.0.0.01", "127.0.0.0x1", "127.00.00.01", "0300.0250.0.1"],
    ...[
      "3232235521",
      "10.5",
      "0xa9fea9fe",
      "2852039166",
      "169.254.43518",
      "0251.0376.0251.0376",
      "1.2.3.4.5"
    ],
    ...[
      "256.0.0.1",
      "127.0.0.256",
      "4294967297",
      "-1",
      "+127.0.0.1",
      "127.0.0.1.",
      "127.0.0.1..",
      ".127.0.0.1"
    ],
    ...["1e3", "localhost.0", "example.0x7f"]
  ],
  "IPv6 in all its spellings": [
    ...[
      "::1",
      "[::1]",
      "0:0:0:0:0:0:0:1",
      "[0000:0000::0001]",
      "::",
      "[::]",
      "::1%lo",
      "[::1%lo]",
      "[::1%25lo]"
    ],
    ...["fe80::1%eth0", "fe80::1", "[[::1]]", "[::1", "::1]", "[127.0.0.1]", "[localhost]", ":::1", "1::2::3"]
  ],
  "IPv4 in IPv6": [
    ...[
      "::ffff:127.0.0.1",
      "[::ffff:7f00:1]",
      "::ffff:0:127.0.0.1",
      "::127.0.0.1",
      "[::7f00:1]",
      "::ffff:10.0.0.5"
    ],
    ...["64:ff9b::127.0.0.1", "[64:ff9b::a00:5]", "64:ff9b:1::127.0.0.1", "64:ff9b:1:7f00:0:100::"],
    ...["2002:7f00:1::", "[2002:a00:5::1]", "2001:0:808:808::80ff:fffe", "2001:0:7f00:1::f7f7:f7f7"],
    ...["2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:a00:5"],
    ...["2002:5db8:d822:1:0:5efe:a05:505", "[2002:a05:505:1:200:5efe:5db8:d822]"],
    ...["2001:0:808:808:0:5efe:7f00:1", "64:ff9b:1::5efe:a05:505", "twice.example"],
    ...["mapped.example", "nat64.example", "6to4.example"],
    v6("0:0:0:0:0:ffff:7f00:1"),
    v6("0:0:0:0:ffff:0:7f00:1"),
    v6("0:0:0:0:0:0:7f00:1"),
    v6("64:ff9b:0:0:0:0:7f00:1"),
    v6("64:ff9b:1:0:0:0:7f00:1"),
    v6("2002:7f00:1:0:0:0:0:0"),
    v6("2001:0:808:808:0:0:80ff:fffe"),
    v6("2002:5db8:d822:1:0:5efe:a05:505"),
    v6("2606:4700:0:0:0:5efe:a00:5"),
    v6("2606:4700:0:0:200:5efe:a00:5")
  ],
  "names of this machine, and what becomes of them": [
    ...["localhost", "LOCALHOST", "LocalHost.", "foo.localhost", "FOO.localhost."],
    ...["ⓛocalhost", "ｌｏｃａｌｈｏｓｔ", "localhoſt", "loc\u00adalhost", "loc\u200dalhost", "ℓocalhost"],
    ...["１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "127.0.0.１", "127．0．0．1", "٠.٠.٠.٠", "0ₓ7f.1"],
    ...[
      "loopback.example",
      "private.example",
      "PRIVATE.example.",
      "ula.example",
      "zero.example",
      "many.example"
    ],
    ...["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"]
  ],
  // Whatever a reader takes for the name, cut there or not: one is private, the other no name.
  "bytes that no name has": [
    ...["", " ", ".", "..", "a..example", ".public.example", "public.example..", "-public.example"],
    ...["127.0.0.1\0.public.example", "private.example\0", "private.example\0.public.example", "\0"],
    ...["public.example\r\nHost: 127.0.0.1", "private.example\r\nHost: public.example", "public.example\n"],
    ...["public\texample", " private.example", "private.example ", "public.example\u007f"],
    ...[
      "private.example/",
      "private.example/@8.8.8.8",
      "private.example#@8.8.8.8",
      "private.example\\@8.8.8.8"
    ],
    ...["user@127.0.0.1", "user@8.8.8.8", "public.example@127.0.0.1", "private.example:80@8.8.8.8"],
    ...[
      "127.0.0.1#.public.example",
      "127.0.0.1?.public.example",
      "127.0.0.1\\.public.example",
      "127.0.0.1:80"
    ],
    ...[
      "127.0.0.%31",
      "%31%32%37.0.0.1",
      "local%68ost",
      "localhost%00.example",
      "http://127.0.0.1",
      "*",
      "*.example"
    ],
    ...[
      "public\u202eexample",
      "private.example\ufeff",
      "\ud83d\ude00.example",
      "public.exam'ple",
      "$(id).example"
    ]
  ],
  "too long": [
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(123)}example`,
    `${"a".repeat(63)}.`.repeat(3) + "a".repeat(62),
    "a".repeat(255)
  ]
}

/** What an operator allows by name. */
export const opened: ReadonlyArray<string> = [
  ...["*", "**", "*.example", "loopback.example", "azure.example", "metadata.google.internal"],
  ...["own.example", "own.example:1080", "localhost", "local:dev.example"]
]

/** Where these names and all others may not lead nevertheless. */
export const closedNevertheless: ReadonlyArray<Host> = [
  ...["loopback.example", "loopback6.example", "link.example", "link6.example", "wrapped.example"],
  ...["machine.example", "machine6.example", "8.8.4.7", "2606:4700::7", "10.0.0.7"],
  ...["azure.example", "metadata.google.internal", "zero.example", "many.example", "foo.localhost"],
  ...["127.0.0.1", "169.254.1.1", "169.254.169.254", "168.63.129.16"],
  v4("127.0.0.1"),
  v4("169.254.169.254"),
  v6("fe80:0:0:0:0:0:0:1")
]

/** A network that is denied where private ones are not, and what leads into it. */
export const deniedNetwork = "10.0.0.0/8"

export const intoDeniedNetwork: ReadonlyArray<Host> = [
  ...["10.5.5.5", "::ffff:10.5.5.5", "64:ff9b::a05:505", "2002:a05:505::1", "2606:4700::5efe:a05:505"],
  ...["2002:5db8:d822:1:0:5efe:a05:505", "2002:a05:505:1:200:5efe:5db8:d822"],
  ...["2001:0:808:808:0:5efe:a05:505", "64:ff9b:1::5efe:a05:505", "twice.example", "private.example"],
  v4("10.5.5.5"),
  v6("2002:5db8:d822:1:0:5efe:a05:505"),
  v6("2001:0:808:808:0:5efe:a05:505")
]

/** And where they may. */
export const openedNames: ReadonlyArray<readonly [Host, readonly [string, ...Array<string>]]> = [
  ["localhost", ["127.0.0.1", "::1"]],
  ["dev.example", ["127.0.0.1"]],
  ["private.example", ["10.0.0.5"]],
  ["ula.example", ["fd00::5"]],
  ["10.0.0.5", ["10.0.0.5"]]
]

/** And those that somebody may want, with the one address that is dialled for each. */
export const open: ReadonlyArray<readonly [Host, string]> = [
  ["8.8.8.8", "8.8.8.8"],
  [v4("8.8.8.8"), "8.8.8.8"],
  ["::ffff:8.8.8.8", "8.8.8.8"],
  [v6("0:0:0:0:0:ffff:808:808"), "8.8.8.8"],
  ["2606:4700:4700::1111", "2606:4700:4700::1111"],
  ["64:ff9b::808:808", "64:ff9b::808:808"],
  ["public.example", "8.8.8.8"],
  ["PUBLIC.Example.", "8.8.8.8"],
  // Of several addresses, those that are not closed.
  ["mixed.example", "8.8.8.8"],
  ["machines.example", "8.8.8.8"],
  // Asked again, it would be loopback.
  ["rebinding.example", "8.8.8.8"]
]

/** Resolves these names, and notes which it was asked for. Asked again, `rebinding.example` would be loopback. */
export const resolver = (asked: Array<string>): Layer.Layer<Resolver> =>
  Layer.succeed(Resolver, {
    resolve: (name) => {
      asked.push(name)
      const rebound = name === "rebinding.example" && [asked.length === 1 ? "8.8.8.8" : "127.0.0.1"]
      const found = (rebound || (names[name] ?? [])).map(NetAddress.ipFromStringUnsafe)
      return Arr.isReadonlyArrayNonEmpty(found)
        ? Effect.succeed(found)
        : Effect.fail(new NameNotFound({ name }))
    }
  })
