/**
 * The settings of all listeners. A listener's own options override `protocols` and `udp`: see `CurrentListener`.
 */
import * as Host from "effect/net/Host"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class ListenSettings extends Section.make<ListenSettings>()("effect-socks/network/ListenSettings", {
  listen: Setting.many<ListenAddress.ListenAddress>({
    description:
      "Address to listen on: HOST:PORT, unix:/PATH or systemd. Port 0 lets the system choose a free port. systemd " +
      "stands for the sockets that systemd passes, systemd:NAME for those with this FileDescriptorName. tls: in front " +
      "of the address puts TLS on the listener. Options behind it, as in ?protocols=socks5+http&udp=false, hold for " +
      "this listener only. A tls: listener relays no UDP unless it has udp=true. With HOST:PORT?wait=30s the start " +
      "waits until this machine has the address",
    metavar: "ADDRESS",
    read: ListenAddress.fromString,
    expected: ListenAddress.expected,
    form: ListenAddress.form,
    default: [Host.hostPortUnsafe(Host.hostFromStringUnsafe("127.0.0.1"), 1080)],
    defaultText: "127.0.0.1:1080",
    separator: /[\s,]+/
  }),
  protocols: Setting.many<Parsers.ProtocolName>({
    description: "Protocol that clients may speak",
    metavar: "PROTOCOL",
    read: Parsers.protocol,
    expected: "one of socks5, socks4 and http",
    json: { enum: [...Parsers.protocols] },
    completion: Parsers.protocols,
    default: Parsers.protocols,
    defaultText: "socks5, socks4, http",
    separator: /[\s,]+/
  }),
  udp: Setting.toggle(
    "Relay datagrams (UDP ASSOCIATE and CONNECT-UDP). Clients of tls: listeners without udp=true have only " +
      "CONNECT-UDP, whose datagrams TLS protects",
    true
  ),
  unixMode: Setting.single({
    description: "Permissions of the sockets of unix: listeners",
    metavar: "MODE",
    read: Parsers.mode,
    expected: "file permissions in octal, such as 0600 or 0660",
    json: { type: ["string", "integer"], pattern: "^0?[0-7]{3}$" },
    default: 0o600,
    defaultText: "0600"
  }),
  tls: Setting.word({
    description:
      "Certificate of tls: listeners: files, or auto for a self-signed one. files are those of --tls-cert and " +
      "--tls-key. auto is for trying: the server makes a certificate when it starts, and keeps it in memory only",
    metavar: "auto",
    words: ["files", "auto"],
    default: "files"
  }),
  tlsCert: Setting.file("Certificate of the tls: listeners, followed by its chain (PEM)"),
  tlsKey: Setting.file("Private key of that certificate (PEM, without a passphrase)"),
  tlsClientCa: Setting.file(
    "Certificate authority of client certificates (PEM). With this, clients of tls: listeners must " +
      "have a certificate; its common name is the user, and no password is asked"
  ),
  tlsClientCrl: Setting.file(
    "Revocation lists of client certificates (PEM), one for each authority. Without a valid list of " +
      "its authority a certificate is refused. The file is read again when it changes"
  ),
  proxyProtocolFrom: Setting.networks(
    "Network of proxies in front of this server. Their connections must begin with a PROXY header " +
      "(version 1 or 2), which names the client. A header from elsewhere is never read"
  )
}) {}
