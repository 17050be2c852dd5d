/**
 * Programs and libraries that others use as HTTP clients: each gets a page, and sends five megabytes where it can, through
 * a forwarded request or a tunnel.
 */
import { execFileSync } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Client, describeWith, python } from "../support/clients.ts"
import * as Go from "../support/go.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"
import * as Uploads from "../support/uploads.ts"

const open = Program.forFile(["--user", "alice:secret", "--private-targets", "allow"])

const withTls = Program.forFile([
  ...["--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--tls", "auto"],
  ...["--user", "alice:secret", "--private-targets", "allow"]
])

const { megabytes } = Uploads

interface Place {
  /** The URL of the proxy, with name and password. */
  readonly proxy: string
  readonly origin: string
  readonly directory: string
}

interface Row {
  readonly needs: ReadonlyArray<Client>
  /** The program, and what it takes. */
  readonly command: (place: Place) => readonly [command: string, ...args: ReadonlyArray<string>]
  readonly writes: string
}

const script = (imported: string, lines: ReadonlyArray<string>) =>
  [`import sys, ${imported}`, "proxy, url = sys.argv[1:]", ...lines].join("\n")

const requests = script("requests", [
  "session = requests.Session()",
  "session.proxies = {'http': proxy}",
  // A body in chunks it sends to a proxy without the password.
  `for _ in range(2): print(session.post(url, data=b'x' * ${megabytes}).text, end=' ')`
])

const httpx = script("httpx", [
  "client = httpx.Client(proxies=proxy)",
  `for _ in range(2): print(client.post(url, content=b'x' * ${megabytes}).text, end=' ')`,
  "print(client.post(url, content=iter([b'x' * 1000] * 10)).text)"
])

const rows: Readonly<Record<string, Row>> = {
  requests: {
    needs: ["python3-requests"],
    command: ({ proxy, origin }) => [python, "-c", requests, proxy, origin],
    writes: `POST ${megabytes} POST ${megabytes} `
  },
  httpx: {
    needs: ["python3-httpx"],
    command: ({ proxy, origin }) => [python, "-c", httpx, proxy, origin],
    writes: `POST ${megabytes} POST ${megabytes} POST 10000\n`
  },
  wget: {
    needs: ["wget"],
    command: ({ proxy, origin }) => [
      "wget",
      "-qO-",
      "-e",
      "use_proxy=yes",
      "-e",
      `http_proxy=${proxy}`,
      origin
    ],
    writes: "GET 0"
  }
}

for (const [name, { needs, command, writes }] of Object.entries(rows)) {
  describeWith(needs, () => {
    it.live(`${name} gets answers through the proxy`, () =>
      Effect.gen(function* () {
        const { address, logged } = yield* open
        const { port } = yield* Uploads.plain
        const directory = yield* Temporary.directory
        const place = {
          proxy: `http://alice:secret@${address}`,
          origin: `http://127.0.0.1:${port}/`,
          directory
        }
        const [program, ...args] = command(place)
        const { stdout, stderr } = yield* Processes.run(program, args)
        assert.strictEqual(stdout, writes, stderr)
        yield* logged({ user: "alice", target: `127.0.0.1:${port}`, status: 200 })
      })
    )
  })
}

/** Serves the files of a directory, and nothing else. */
const files = (directory: string) =>
  Origin.http((request, response) => {
    const path = decodeURIComponent(request.url!.split("?")[0]!)
    readFile(join(directory, path)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end()
    )
  })

describeWith(["git"], () => {
  it.live("git clones a repository", () =>
    Effect.gen(function* () {
      const { address, logged } = yield* open
      const directory = yield* Temporary.directory
      const git = (cwd: string, ...args: ReadonlyArray<string>) =>
        execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example", ...args], {
          cwd,
          stdio: "pipe"
        })
      git(directory, "init", "-q", "one")
      yield* Effect.promise(() => writeFile(join(directory, "one", "file"), "in the repository"))
      git(join(directory, "one"), "add", "file")
      git(join(directory, "one"), "commit", "-qm", "one")
      git(directory, "clone", "-q", "--bare", "one", "one.git")
      git(join(directory, "one.git"), "update-server-info")
      const { port } = yield* files(directory)
      const config = ["-c", `http.proxy=http://alice:secret@${address}`]
      const clone = [...config, "clone", "-q", `http://127.0.0.1:${port}/one.git`, join(directory, "two")]
      const { code, stderr } = yield* Processes.run("git", clone)
      assert.strictEqual(code, 0, stderr)
      const found = yield* Effect.promise(() => readFile(join(directory, "two", "file"), "utf8"))
      assert.strictEqual(found, "in the repository")
      yield* logged({ user: "alice", command: "FORWARD", target: `127.0.0.1:${port}`, status: 200 })
    })
  )
})

describeWith(["apt"], () => {
  it.live("apt reads the list of a repository", () =>
    Effect.gen(function* () {
      const { address } = yield* open
      const directory = yield* Temporary.directory
      yield* Effect.promise(() => writeFile(join(directory, "Packages"), ""))
      const { port, seen } = yield* files(directory)
      const list = join(directory, "sources.list")
      yield* Effect.promise(() => writeFile(list, `deb [trusted=yes] http://127.0.0.1:${port} ./\n`))
      const settings = {
        "Acquire::http::Proxy": `http://alice:secret@${address}`,
        "APT::Sandbox::User": "root",
        "Dir::Cache": directory,
        "Dir::Etc::SourceList": list,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": directory
      }
      const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])
      const { code, stdout, stderr } = yield* Processes.run("apt-get", [...options, "update"])
      assert.strictEqual(code, 0, stdout + stderr)
      assert.isTrue(seen.some((path) => path.endsWith("/Packages")))
    })
  )
})

const wheel = [
  "import sys, zipfile",
  "with zipfile.ZipFile(sys.argv[1], 'w') as wheel:",
  "  wheel.writestr('thing.py', 'x = 1')",
  "  wheel.writestr('thing-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n')",
  "  wheel.writestr('thing-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')",
  "  wheel.writestr('thing-1.0.dist-info/RECORD', '')"
].join("\n")

describeWith(["python3-pip"], () => {
  it.live("pip downloads a package", () =>
    Effect.gen(function* () {
      const { address } = yield* open
      const directory = yield* Temporary.directory
      const name = "thing-1.0-py3-none-any.whl"
      execFileSync(python, ["-c", wheel, join(directory, name)])
      const { port } = yield* Origin.http((request, response) => {
        if (!request.url!.endsWith(".whl")) {
          return void response.setHeader("content-type", "text/html").end(`<a href="/${name}">${name}</a>`)
        }
        readFile(join(directory, name)).then((bytes) => response.end(bytes))
      })
      const { code, stdout, stderr } = yield* Processes.run(python, [
        ...["-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"],
        ...["--proxy", `http://alice:secret@${address}`, "--index-url", `http://127.0.0.1:${port}/simple/`],
        ...["-d", join(directory, "got"), "thing"]
      ])
      assert.strictEqual(code, 0, stdout + stderr)
      const [sent, got] = yield* Effect.promise(() =>
        Promise.all([readFile(join(directory, name)), readFile(join(directory, "got", name))])
      )
      assert.isTrue(sent.equals(got))
    })
  )
})

/**
 * Posts to each URL by the first proxy, and prints the version of HTTP and the answer. Then posts to the first URL by the second
 * proxy over HTTP/2, and has twenty tunnels at once on the same connection.
 */
const goSource = `package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"

	"golang.org/x/net/http2"
)

func tunnel(proxy *http2.ClientConn, header http.Header, target string) string {
	reader, writer := io.Pipe()
	request := &http.Request{Method: "CONNECT", URL: &url.URL{Host: target}, Host: target,
		Header: header, Body: reader, ContentLength: -1}
	response, err := proxy.RoundTrip(request)
	if err != nil {
		return err.Error()
	}
	fmt.Fprint(writer, "POST / HTTP/1.0\\r\\nContent-Length: 200000\\r\\n\\r\\n")
	writer.Write(make([]byte, 200000))
	answer, _ := io.ReadAll(response.Body)
	return string(answer[bytes.LastIndexByte(answer, '\\n')+1:])
}

func byHttp2(address string, authorization string, target string) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		panic(err)
	}
	proxy, err := (&http2.Transport{}).NewClientConn(conn)
	if err != nil {
		panic(err)
	}
	header := http.Header{"Proxy-Authorization": {authorization}}
	request, _ := http.NewRequest("POST", "http://"+target+"/", bytes.NewReader(make([]byte, ${megabytes})))
	request.Header = header
	response, err := proxy.RoundTrip(request)
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(response.Body)
	fmt.Println("proxy of", response.Proto, response.StatusCode, string(body))
	var group sync.WaitGroup
	answers := make([]string, 20)
	for i := range answers {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			answers[i] = tunnel(proxy, header, target)
		}(i)
	}
	group.Wait()
	count := 0
	for _, answer := range answers {
		if answer == "POST 200000" {
			count++
		}
	}
	fmt.Println(count, "tunnels")
}

func main() {
	proxy, _ := url.Parse(os.Args[1])
	pool := x509.NewCertPool()
	certificate, _ := os.ReadFile(os.Args[2])
	pool.AppendCertsFromPEM(certificate)
	client := &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyURL(proxy),
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
	}}
	for _, target := range os.Args[5:] {
		response, err := client.Post(target, "text/plain", bytes.NewReader(make([]byte, ${megabytes})))
		if err != nil {
			fmt.Println(err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		fmt.Println(response.Proto, string(body))
	}
	byHttp2(os.Args[3], os.Args[4], os.Args[5][len("http://"):len(os.Args[5])-1])
}
`

describeWith(["golang-go", "golang-golang-x-net-dev"], () => {
  it.live(
    "Go's clients talk to origins and proxies of HTTP/1.1 and HTTP/2",
    () =>
      Effect.gen(function* () {
        const { addresses, logged } = yield* withTls
        const [address, overTls] = addresses
        const directory = yield* Temporary.directory
        const { port } = yield* Uploads.plain
        const secure = yield* Uploads.secure(directory)
        const client = yield* Go.build(goSource)
        const urls = [`http://127.0.0.1:${port}/`, `https://127.0.0.1:${secure.port}/`]
        const credentials = `Basic ${btoa("alice:secret")}`
        const args = [
          ...[`http://alice:secret@${address}`, secure.certFile],
          ...[overTls!.replace("tls:", ""), credentials, ...urls]
        ]
        const { stdout, stderr } = yield* Processes.run(client, args)
        assert.strictEqual(
          stdout,
          `HTTP/1.1 POST ${megabytes}\nHTTP/2.0 POST ${megabytes}\nproxy of HTTP/2.0 200 POST ${megabytes}\n20 tunnels\n`,
          stderr
        )
        yield* logged({ user: "alice", command: "CONNECT", target: `127.0.0.1:${port}` }, 20)
        yield* logged({ user: "alice", command: "FORWARD", target: `127.0.0.1:${port}`, status: 200 })
        yield* logged({ user: "alice", command: "CONNECT", target: `127.0.0.1:${secure.port}` })
      }),
    Go.patience
  )
})
