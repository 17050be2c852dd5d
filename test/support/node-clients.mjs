// HTTP clients of npm, each as its documentation has it use a proxy: `node node-clients.mjs BYTES PROXIES URLS`. Each gets and
// posts at each URL by each proxy. Prints a line for each: the client, the proxy, the URL, and the responses or the error.
import { inspect } from "node:util"
import axios from "axios"
import { got } from "got"
import { HttpProxyAgent } from "http-proxy-agent"
import { HttpsProxyAgent } from "https-proxy-agent"
import { fetch, ProxyAgent } from "undici"

const [bytes, proxies, urls] = process.argv.slice(2)
const upload = Buffer.alloc(Number(bytes), "x")

/** Its own option for forwarded requests, and for tunnels an agent. */
const byAxios = async (proxy, url, body) => {
  const { protocol, hostname, port, username, password } = new URL(proxy)
  const { status, data } = await axios.request({
    url,
    method: body ? "POST" : "GET",
    data: body,
    ...(url.startsWith("https:")
      ? { proxy: false, httpsAgent: new HttpsProxyAgent(proxy) }
      : { proxy: { protocol, host: hostname, port: Number(port), auth: { username, password } } })
  })
  return `${status} ${data}`
}

const byGot = async (proxy, url, body) => {
  const { statusCode, body: text } = await got(url, {
    ...(body && { method: "POST", body }),
    agent: { http: new HttpProxyAgent(proxy), https: new HttpsProxyAgent(proxy) },
    retry: { limit: 0 }
  })
  return `${statusCode} ${text}`
}

/** By default it has a tunnel for every origin. */
const byUndici = (proxyTunnel) => async (proxy, url, body) => {
  const dispatcher = new ProxyAgent({ uri: proxy, proxyTunnel })
  // A stream has no length that is known beforehand.
  const posted = body && { method: "POST", body: new Blob([body]).stream(), duplex: "half" }
  const response = await fetch(url, { dispatcher, ...posted })
  return `${response.status} ${await response.text()}`
}

const clients = {
  axios: byAxios,
  got: byGot,
  "undici, by tunnels": byUndici(true),
  "undici, by forwarded requests": byUndici(false)
}

for (const [name, ask] of Object.entries(clients)) {
  for (const proxy of proxies.split(",")) {
    for (const url of urls.split(",")) {
      const answers = async () => `${await ask(proxy, url)}, ${await ask(proxy, url, upload)}`
      const found = await answers().catch((error) => inspect(error).replaceAll("\n", " "))
      console.log([name, proxy, url, found].join("\t"))
    }
  }
}
process.exit()
